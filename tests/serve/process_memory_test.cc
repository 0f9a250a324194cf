#include "node/serve/process_memory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>
#include <string>

namespace shoal {
namespace {

// Of mapped files, as the system counts them.
int64_t resident_file_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kib = 0;
    if (word == "RssFile:" && status >> kib) return kib;
  }
  return 0;
}

int thrown_and_caught(const std::string& what) {
  try {
    throw std::runtime_error(what);
  } catch (const std::exception& error) {
    return static_cast<int>(std::string(error.what()).size());
  }
}

TEST(ProcessMemory, ProgramPagesAreGivenBackAndComeBack) {
  static int written = 1;
  written = 2;
  const int64_t before = resident_file_kib();
  ASSERT_GT(before, 2048);
  give_back_program_pages();
  EXPECT_LT(resident_file_kib(), before / 2);
  // Text, tables of the unwinder, vtables that were relocated, what was written.
  EXPECT_EQ(thrown_and_caught("abc"), 3);
  EXPECT_EQ(written, 2);
  EXPECT_GT(resident_bytes(), 0u);
  give_back_program_pages();
  EXPECT_EQ(thrown_and_caught("abcd"), 4);
}

}  // namespace
}  // namespace shoal
