// Databases whose write-ahead log is what answers stand on. For the .cc files of this folder.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>

namespace shoal::storage {

// What they have in common, with a memtable of this size.
rocksdb::Options logged_options(size_t write_buffer_bytes);

// `name`: which store, for people.
absl::StatusOr<std::unique_ptr<rocksdb::DB>> open_logged(const rocksdb::Options& options,
                                                         const std::string& directory,
                                                         const std::string& name);

}  // namespace shoal::storage
