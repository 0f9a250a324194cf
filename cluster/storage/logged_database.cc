#include "cluster/storage/logged_database.h"

#include "cluster/storage/store_status.h"
#include "cluster/storage/wal_tail.h"

namespace shoal::storage {

rocksdb::Options logged_options(size_t write_buffer_bytes) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  // An incomplete last record is a write that nobody was told of; all other damage is an error.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  // An error is for the node to see, not to be mended behind its back.
  options.max_bgerror_resume_count = 0;
  options.write_buffer_size = write_buffer_bytes;
  options.info_log = no_info_log();
  options.max_open_files = 64;
  return options;
}

absl::StatusOr<std::unique_ptr<rocksdb::DB>> open_logged(const rocksdb::Options& options,
                                                         const std::string& directory,
                                                         const std::string& name) {
  if (absl::Status damaged = check_wal_tails(directory); !damaged.ok()) return damaged;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, directory, &db);
  if (!status.ok()) return to_status(status, name + " " + directory + ": cannot be opened");
  return std::unique_ptr<rocksdb::DB>(db);
}

}  // namespace shoal::storage
