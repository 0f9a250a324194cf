// The node that a backup is read from.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "node/client/backup/manifest.h"
#include "proto/shoal/backup.pb.h"

namespace shoal::backup {

class Source {
 public:
  virtual ~Source() = default;
  struct Begun {
    Manifest of;         // without a name and parts
    uint64_t bytes = 0;  // that will come, about
  };
  // Returns when the cut is made.
  virtual absl::StatusOr<Begun> begin() = 0;
  // From 1 on; the last once more gives the same.
  virtual absl::StatusOr<proto::BackupPortion> portion(uint64_t number) = 0;
  virtual void end() = 0;
};

}  // namespace shoal::backup
