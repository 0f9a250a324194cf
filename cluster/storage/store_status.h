// How RocksDB's errors are told to others. For the .cc files of this folder.
#pragma once

#include <memory>
#include <string>

#include <absl/status/status.h>
#include <rocksdb/env.h>
#include <rocksdb/status.h>

namespace shoal::storage {

// `what`: which store, and what it was doing.
absl::Status to_status(const rocksdb::Status& from, const std::string& what);

// In the place of RocksDB's own log of what it does: that is a file on the same disk, and a disk that
// is full would end the process by an assertion in it, before anybody has heard why.
std::shared_ptr<rocksdb::Logger> no_info_log();

}  // namespace shoal::storage
