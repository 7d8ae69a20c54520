# Which instruction sets this processor architecture has, and the compiler's flags for each. Flags are set per file, so
# that nothing else of the addon needs more than the architecture's baseline.
# NIBBLE_ISAS: for files (a generic kernel is the scalar reference); NIBBLE_DOT_ISAS: for products at run time;
# NIBBLE_MUL_MAT_ISAS: for those with many rows alone; NIBBLE_LOOP_ISAS: for plain loops, which compilers make vectors of.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(NIBBLE_ISAS x86_avx512 x86_avx2)
  set(NIBBLE_DOT_ISAS x86_avx512vnni x86_avxvnni x86_avx2 generic)
  set(NIBBLE_MUL_MAT_ISAS x86_avx512bf16)
  set(NIBBLE_LOOP_ISAS x86_avx512 x86_avx2 generic)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(NIBBLE_ISAS arm_neon)
  set(NIBBLE_DOT_ISAS arm_neondot arm_neon generic)
  set(NIBBLE_MUL_MAT_ISAS arm_neoni8mm)
  set(NIBBLE_LOOP_ISAS generic)
else()
  set(NIBBLE_ISAS)
  set(NIBBLE_DOT_ISAS generic)
  set(NIBBLE_LOOP_ISAS generic)
endif()

if(MSVC)
  set(NIBBLE_FLAGS_x86_avx512 /arch:AVX512)
  set(NIBBLE_FLAGS_x86_avx2 /arch:AVX2)
else()
  set(NIBBLE_FLAGS_x86_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mprefer-vector-width=512)
  set(NIBBLE_FLAGS_x86_avx2 -mavx2 -mfma -mf16c)
  set(NIBBLE_FLAGS_arm_neondot -march=armv8.2-a+dotprod)
  set(NIBBLE_FLAGS_arm_neoni8mm -march=armv8.2-a+dotprod+i8mm)
endif()

# g++ 12 warns of its own intrinsics (the undefined vectors that they start from).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND NIBBLE_FLAGS_x86_avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
endif()

set(NIBBLE_FLAGS_x86_avx512vnni ${NIBBLE_FLAGS_x86_avx512})
# For tests: the kernels of AVX-VNNI on processors that have its instruction only as AVX-512 encodes it.
option(NIBBLE_AVXVNNI_AS_AVX512 "Compile AVX-VNNI's kernels for AVX-512 VNNI" OFF)
set(NIBBLE_FLAGS_x86_avxvnni ${NIBBLE_FLAGS_x86_avx2})
if(NOT MSVC)
  list(APPEND NIBBLE_FLAGS_x86_avx512vnni -mavx512vnni)
  if(NIBBLE_AVXVNNI_AS_AVX512)
    add_compile_definitions(NIBBLE_AVXVNNI_AS_AVX512)
    list(APPEND NIBBLE_FLAGS_x86_avxvnni -mavx512vl -mavx512vnni)
  else()
    list(APPEND NIBBLE_FLAGS_x86_avxvnni -mavxvnni)
  endif()
endif()
set(NIBBLE_FLAGS_x86_avx512bf16 ${NIBBLE_FLAGS_x86_avx512vnni})
if(NOT MSVC)
  list(APPEND NIBBLE_FLAGS_x86_avx512bf16 -mavx512bf16)
endif()

# Plain loops become vectors with these: a comparison that might raise a floating-point exception would keep its branch
# (values stay what they are).
if(NOT MSVC)
  set(NIBBLE_LOOP_FLAGS -O3 -fno-trapping-math -fno-math-errno)
endif()

# Appends the files of the families for these instruction sets to the list `sources`, with their flags.
function(nibble_isa_sources sources isas)
  set(list ${${sources}})
  foreach(family ${ARGN})
    foreach(isa ${isas})
      set(file native/kernels/${family}/${isa}.cc)
      list(APPEND list ${file})
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${NIBBLE_FLAGS_${isa}}")
    endforeach()
  endforeach()
  set(${sources} ${list} PARENT_SCOPE)
endfunction()
