#include <gtest/gtest.h>

#include "node/client/ctl/ctl_options.h"

namespace shoal::ctl {
namespace {

using Action = BackupOptions::Action;

// What was understood, or why nothing was.
std::string read(std::vector<const char*> words) {
  static constexpr const char* kNames[] = {"none", "make", "list", "verify", "remove", "restore"};
  words.insert(words.begin(), "ctl");
  const auto parsed = ctl_options_of(static_cast<int>(words.size()), words.data());
  if (const auto* const usage = std::get_if<ClientUsage>(&parsed)) {
    return std::to_string(usage->status) + " " + usage->text;
  }
  const CtlOptions& options = std::get<CtlOptions>(parsed);
  const BackupOptions& backup = options.backup;
  std::string text = kNames[static_cast<int>(backup.action)];
  for (const std::string& each : {backup.target, backup.name, backup.s3.endpoint}) {
    if (!each.empty()) text += " " + each;
  }
  return text + (options.json ? " json" : "");
}

TEST(BackupOptions, EachCommandIsUnderstood) {
  EXPECT_EQ(read({"members"}), "none");
  EXPECT_EQ(read({"backup", "/b"}), "make /b");
  EXPECT_EQ(read({"--json", "backup", "s3://b/p", "--name", "one", "--s3-endpoint", "http://x"}),
            "make s3://b/p one http://x json");
  EXPECT_EQ(read({"backup", "list", "/b", "--json"}), "list /b json");
  EXPECT_EQ(read({"backup", "verify", "/b", "--name", "one"}), "verify /b one");
  EXPECT_EQ(read({"backup", "verify", "s3://b", "--s3-endpoint", "http://x"}),
            "verify s3://b http://x");
  EXPECT_EQ(read({"backup", "remove", "/b", "one"}), "remove /b one");
  EXPECT_EQ(read({"--data-dir", "/d", "restore", "/b", "--name", "one", "--replicas", "1"}),
            "restore /b one");
}

TEST(BackupOptions, WhatIsMissingOrWrongIsNamed) {
  EXPECT_EQ(read({"backup"}), "2 target is required");
  EXPECT_EQ(read({"restore"}), "2 target is required");
  EXPECT_EQ(read({"backup", "remove", "/b"}), "2 name is required");
  EXPECT_EQ(read({"backup", "/b", "--name", "a/b"}),
            "2 --name: expected letters, digits and -._ , at most 100, got \"a/b\"");
  EXPECT_EQ(read({"backup", "/b", "--name", ".hidden"}).substr(0, 8), "2 --name");
  EXPECT_EQ(read({"restore", "/b", "--replicas", "0"}).substr(0, 12), "2 --replicas");
}

}  // namespace
}  // namespace shoal::ctl
