#pragma once

#include <cstdint>

namespace shoal {

// Of this process, now.
uint64_t resident_bytes();

// Gives back what of the program and its libraries is in memory. What is used of it again comes back, a fault
// and no disk each, as long as the system has it in its cache: half of it only the start needed.
void give_back_program_pages();

}  // namespace shoal
