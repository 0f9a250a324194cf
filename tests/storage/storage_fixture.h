// Directories of one test, and children that die in the middle of their work.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace shoal::storage {

// The tests of the suite DISABLED_Child are what other tests start as processes of their own: not by
// fork alone, since RocksDB's threads would be missing in a copy of a process that has used it. Google
// Test leaves a suite of that name out unless it is asked for.
class Child : public testing::Test {
 public:
  static std::string directory();
  static void report(uint64_t number);

 protected:
  void SetUp() override { ASSERT_NE(directory(), "") << "it is for other tests to start"; }
};

using DISABLED_Child = Child;

class StorageTest : public testing::Test {
 protected:
  StorageTest() {
    std::string name = (std::filesystem::temp_directory_path() / "shoal-storage-XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~StorageTest() override { std::filesystem::remove_all(root_); }

  std::string path(const std::string& name) const { return (root_ / name).string(); }

  // Runs the test `name` in a process of its own, which works in `directory` and says by
  // Child::report how far it has come; when that is `until` it is killed, wherever it is by then.
  // Returns the last number that it reported.
  static uint64_t kill_at(uint64_t until, const std::string& name, const std::string& directory);
  // The same, but its files may not grow past `bytes`, and it runs to its end: whether it passes.
  static bool passes_with_file_limit(uint64_t bytes, const std::string& name,
                                     const std::string& directory);

  // The one file of a directory that ends so and is the last by name.
  static std::filesystem::path last_file(const std::string& directory, const std::string& ending) {
    std::filesystem::path last;
    for (const auto& each : std::filesystem::directory_iterator(directory)) {
      if (each.path().extension() == ending && each.path() > last) last = each.path();
    }
    EXPECT_FALSE(last.empty()) << "no " << ending << " in " << directory;
    return last;
  }
  static void flip_byte(const std::filesystem::path& file, uint64_t at) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(stream.get() ^ 0x40);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte);
  }

 private:
  std::filesystem::path root_;
};

}  // namespace shoal::storage
