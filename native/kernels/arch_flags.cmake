# Which instruction sets this processor architecture has, and the compiler's flags for each. Flags are set per file, so
# that nothing else of the addon needs more than the architecture's baseline.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(NIBBLE_ISAS x86_avx512 x86_avx2)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(NIBBLE_ISAS arm_neon)
else()
  set(NIBBLE_ISAS)
endif()

if(MSVC)
  set(NIBBLE_FLAGS_x86_avx512 /arch:AVX512)
  set(NIBBLE_FLAGS_x86_avx2 /arch:AVX2)
else()
  set(NIBBLE_FLAGS_x86_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mprefer-vector-width=512)
  set(NIBBLE_FLAGS_x86_avx2 -mavx2 -mfma -mf16c)
endif()

# g++ 12 warns of its own intrinsics (the undefined vectors that they start from).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND NIBBLE_FLAGS_x86_avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
endif()

# Appends the ISA files of the families to the list `sources`, with their flags.
function(nibble_isa_sources sources)
  set(list ${${sources}})
  foreach(family ${ARGN})
    foreach(isa ${NIBBLE_ISAS})
      set(file native/kernels/${family}/${isa}.cc)
      list(APPEND list ${file})
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${NIBBLE_FLAGS_${isa}}")
    endforeach()
  endforeach()
  set(${sources} ${list} PARENT_SCOPE)
endfunction()
