#include "cluster/storage/log_store.h"

#include <map>
#include <mutex>
#include <utility>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "cluster/storage/log_format.h"
#include "cluster/storage/logged_database.h"
#include "cluster/storage/store_status.h"
#include "shoal/assert.h"

namespace shoal::storage {
namespace {

rocksdb::Options options_of_log() {
  // Entries are cut soon after they were written: most never leave the memtable.
  rocksdb::Options options = logged_options(size_t{32} * 1024 * 1024);
  options.max_total_wal_size = uint64_t{256} * 1024 * 1024;
  options.compression = rocksdb::kNoCompression;
  return options;
}

std::string name_of(LogGroup group) {
  return "shard " + std::to_string(group.shard) + "." + std::to_string(group.incarnation);
}

}  // namespace

struct LogStore::Database {
  std::string directory;
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::WriteOptions write_options;
  struct Ends {
    uint64_t first = 0;
    uint64_t last = 0;  // before `first`: there are no entries
  };
  std::map<LogGroup, Ends> ends;
  bool recovered = false;    // so `ends` is known
  mutable std::mutex mutex;  // of `error`
  absl::Status error;

  absl::Status check(const rocksdb::Status& status, const std::string& what) {
    return check(to_status(status, "log store " + directory + ": " + what));
  }
  absl::Status check(absl::Status status) {
    if (status.ok()) return status;
    const std::lock_guard lock(mutex);
    if (error.ok()) error = std::move(status);
    return error;
  }
  absl::Status damaged(const std::string& what) {
    return check(absl::DataLossError("log store " + directory + ": " + what));
  }
  absl::Status first_error() const {
    const std::lock_guard lock(mutex);
    return error;
  }

  void add(const LogWrite& write, rocksdb::WriteBatch& batch);
  absl::Status recover_states(std::map<LogGroup, RecoveredLog>& groups);
  absl::Status recover_entries(const WantsPayload& wants_payload,
                               std::map<LogGroup, RecoveredLog>& groups);
};

LogStore::LogStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

LogStore::~LogStore() = default;

absl::StatusOr<std::unique_ptr<LogStore>> LogStore::open(const std::string& directory,
                                                         Durability durability) {
  auto database = std::make_unique<Database>();
  database->directory = directory;
  database->write_options.sync = durability == Durability::kFsync;
  auto db = open_logged(options_of_log(), directory, "log store");
  if (!db.ok()) return db.status();
  database->db = *std::move(db);
  return std::unique_ptr<LogStore>(new LogStore(std::move(database)));
}

absl::Status LogStore::status() const { return database_->first_error(); }

absl::Status LogStore::Database::recover_states(std::map<LogGroup, RecoveredLog>& groups) {
  const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator(rocksdb::ReadOptions()));
  for (at->Seek(std::string(1, kStateKey)); at->Valid(); at->Next()) {
    LogGroup group;
    if (!parse_group(at->key().ToStringView(), kStateKey, group)) return damaged("an unknown key");
    RecoveredLog& log = groups[group];
    if (!parse_state(at->value().ToStringView(), log.state)) {
      return damaged("the term of " + name_of(group) + " cannot be read");
    }
  }
  return check(at->status(), "reading terms");
}

absl::Status LogStore::Database::recover_entries(const WantsPayload& wants_payload,
                                                 std::map<LogGroup, RecoveredLog>& groups) {
  const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator(rocksdb::ReadOptions()));
  for (at->SeekToFirst(); at->Valid() && at->key()[0] == kEntryKey; at->Next()) {
    LogGroup group;
    LogEntry entry;
    if (!parse_entry_key(at->key().ToStringView(), group, entry.index)) {
      return damaged("an unknown key");
    }
    std::vector<LogEntry>& entries = groups[group].entries;
    const std::string where = "entry " + std::to_string(entry.index) + " of " + name_of(group);
    if (!parse_entry(at->value().ToStringView(), entry)) return damaged(where + " cannot be read");
    if (!entries.empty() && entry.index != entries.back().index + 1) {
      return damaged("entries before " + where + " are missing");
    }
    if (!entries.empty() && entry.term < entries.back().term) {
      return damaged(where + " has a term below that of the entry before it");
    }
    if (wants_payload && !wants_payload(entry.kind)) entry.payload = {};
    entries.push_back(std::move(entry));
  }
  return check(at->status(), "reading entries");
}

absl::StatusOr<std::vector<RecoveredLog>> LogStore::recover(const WantsPayload& wants_payload) {
  std::map<LogGroup, RecoveredLog> groups;
  if (absl::Status status = database_->recover_entries(wants_payload, groups); !status.ok()) {
    return status;
  }
  if (absl::Status status = database_->recover_states(groups); !status.ok()) return status;
  std::vector<RecoveredLog> logs;
  for (auto& [group, log] : groups) {
    log.group = group;
    if (!log.entries.empty()) {
      database_->ends[group] = {log.entries.front().index, log.entries.back().index};
    }
    logs.push_back(std::move(log));
  }
  database_->recovered = true;
  return logs;
}

void LogStore::Database::add(const LogWrite& write, rocksdb::WriteBatch& batch) {
  if (write.state) batch.Put(group_key(kStateKey, write.group), state_value(*write.state));
  Ends& log = ends[write.group];
  if (write.clear) {
    batch.DeleteRange(entry_key(write.group, 0), entry_key(write.group, UINT64_MAX));
    log = {};
  }
  if (write.first != 0) {
    // What the entries replace needs no deletion of its own.
    const uint64_t next = write.first + write.entries.size();
    for (uint64_t index = next; index <= log.last; ++index) {
      batch.Delete(entry_key(write.group, index));
    }
    for (const LogEntry& entry : write.entries) {
      batch.Put(entry_key(write.group, entry.index), entry_value(entry));
    }
    if (log.first == 0 || write.first < log.first) log.first = write.first;
    log.last = next - 1;
  }
  // One by one: each range that is deleted would be looked at by each read until the next compaction.
  for (; log.first != 0 && log.first < write.cut && log.first <= log.last; ++log.first) {
    batch.Delete(entry_key(write.group, log.first));
  }
}

absl::Status LogStore::write(std::span<const LogWrite> writes) {
  SHOAL_ASSERT(database_->recovered);
  if (absl::Status error = status(); !error.ok()) return error;
  rocksdb::WriteBatch batch;
  for (const LogWrite& write : writes) database_->add(write, batch);
  return database_->check(database_->db->Write(database_->write_options, &batch), "writing");
}

absl::Status LogStore::read(LogGroup group, uint64_t first, uint64_t last, size_t bytes_max,
                            std::vector<LogEntry>& out) {
  if (absl::Status error = status(); !error.ok()) return error;
  const std::unique_ptr<rocksdb::Iterator> at(database_->db->NewIterator(rocksdb::ReadOptions()));
  at->Seek(entry_key(group, first));
  size_t bytes = 0;
  for (uint64_t index = first; index <= last; ++index, at->Next()) {
    if (absl::Status error = database_->check(at->status(), "reading"); !error.ok()) return error;
    LogGroup found;
    LogEntry entry;
    const bool is_there = at->Valid() &&
                          parse_entry_key(at->key().ToStringView(), found, entry.index) &&
                          found == group && entry.index == index;
    if (!is_there || !parse_entry(at->value().ToStringView(), entry)) {
      return database_->damaged("entry " + std::to_string(index) + " of " + name_of(group) +
                                " is missing");
    }
    bytes += entry.payload.size();
    if (index != first && bytes > bytes_max) break;
    out.push_back(std::move(entry));
  }
  return absl::OkStatus();
}

absl::Status LogStore::remove(LogGroup group) {
  if (absl::Status error = status(); !error.ok()) return error;
  rocksdb::WriteBatch batch;
  batch.DeleteRange(entry_key(group, 0), entry_key(group, UINT64_MAX));
  batch.Delete(group_key(kStateKey, group));
  database_->ends.erase(group);
  return database_->check(database_->db->Write(database_->write_options, &batch), "removing");
}

absl::Status LogStore::sync() {
  if (absl::Status error = status(); !error.ok()) return error;
  return database_->check(database_->db->SyncWAL(), "syncing");
}

}  // namespace shoal::storage
