#pragma once

// What only the operating system knows of an Arm processor.
namespace nibble {

// Whether it has the dot product of bytes (sdot, udot). False on other architectures.
bool arm_has_dot_product();
// Whether it has the product of matrices of bytes (smmla, ummla). False on Windows, which is not
// asked, and on other architectures.
bool arm_has_byte_matrices();

}  // namespace nibble
