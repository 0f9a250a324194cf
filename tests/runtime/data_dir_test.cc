#include "node/runtime/data_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace shoal {
namespace {

using testing::HasSubstr;

class DataDirTest : public testing::Test {
 protected:
  ~DataDirTest() override { std::filesystem::remove_all(folder_); }

  static std::string error_of(const std::string& path) {
    auto opened = DataDir::open(path);
    const auto* error = std::get_if<std::string>(&opened);
    return error != nullptr ? *error : "";
  }

  const std::string folder_ = testing::TempDir() + "/shoal-data-dir-" + std::to_string(::getpid());
};

TEST_F(DataDirTest, IsMadeWithItsParentsAndUsedByOneAtATime) {
  const std::string path = folder_ + "/a/b";
  {
    const auto first = DataDir::open(path);
    ASSERT_TRUE(std::holds_alternative<DataDir>(first));
    EXPECT_EQ(error_of(path), path + ": another shoal uses this data directory (process " +
                                  std::to_string(::getpid()) + ")");
  }
  EXPECT_EQ(error_of(path), "");
}

TEST_F(DataDirTest, WhatCannotBeADirectoryIsNamed) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/file") << "x";
  EXPECT_THAT(error_of(folder_ + "/file"), HasSubstr(folder_ + "/file: cannot "));
  EXPECT_THAT(error_of("/proc/nowhere"),
              HasSubstr("/proc/nowhere: cannot make the data directory"));
}

TEST_F(DataDirTest, FilesAreReplacedWhole) {
  const auto opened = DataDir::open(folder_);
  const auto& dir = std::get<DataDir>(opened);
  EXPECT_EQ(std::get<0>(dir.read("state")), std::nullopt);
  for (const std::string& content :
       {std::string("one"), std::string(100'000, 'x'), std::string()}) {
    EXPECT_EQ(dir.replace("state", content), std::nullopt);
    EXPECT_EQ(std::get<0>(dir.read("state")), content);
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/state.new"));
  EXPECT_EQ(std::filesystem::status(folder_ + "/state").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(DataDirTest, AFileThatCannotBeWrittenIsNamed) {
  const auto opened = DataDir::open(folder_);
  const auto& dir = std::get<DataDir>(opened);
  std::filesystem::create_directories(folder_ + "/state/x");
  EXPECT_THAT(dir.replace("state", "one").value_or(""),
              HasSubstr(folder_ + "/state: cannot be replaced"));
  EXPECT_THAT(std::get<std::string>(dir.read("state")),
              HasSubstr(folder_ + "/state: cannot be read"));
}

}  // namespace
}  // namespace shoal
