// How RocksDB's errors are told to others. For the .cc files of this folder.
#pragma once

#include <string>

#include <absl/status/status.h>
#include <rocksdb/status.h>

namespace shoal::storage {

// `what`: which store, and what it was doing.
absl::Status to_status(const rocksdb::Status& from, const std::string& what);

}  // namespace shoal::storage
