// A look at RocksDB's write-ahead logs before it opens them.
//
// RocksDB takes a record that reaches past the end of its file for one that was being written when the
// machine stopped, and drops it with all that follows. A damaged length in the last block looks the
// same, and what follows was answered for. The two differ: behind a write that was cut short there is
// no whole record.
#pragma once

#include <string>

#include <absl/status/status.h>

namespace shoal::storage {

// DataLoss if a log in `directory` is cut short in front of a whole record. Other damage is RocksDB's
// to find.
absl::Status check_wal_tails(const std::string& directory);

}  // namespace shoal::storage
