// The command line of `shoal ctl backup` and `restore`.
#pragma once

#include <cstdint>
#include <string>

#include "node/client/backup/target.h"

namespace CLI {
class App;
}

namespace shoal::ctl {

struct BackupOptions {
  enum class Action : uint8_t { kNone, kMake, kList, kVerify, kRemove, kRestore };
  Action action = Action::kNone;  // kNone: another command
  std::string target;
  std::string name;  // of the backup; empty: a new one's, or the newest
  backup::S3Options s3;
  uint32_t replicas = 0;  // restore: 0: as the backup's cluster
};

void add_backup_verbs(CLI::App& app, BackupOptions& options);

}  // namespace shoal::ctl
