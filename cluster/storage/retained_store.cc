#include "cluster/storage/retained_store.h"

#include <utility>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "cluster/storage/logged_database.h"
#include "cluster/storage/store_status.h"

namespace shoal::storage {
namespace {

// Keys begin with the format of what follows.
constexpr char kNoteKey[] = "\x01n";
constexpr std::string_view kTopicBegin = "\x01t";
constexpr std::string_view kTopicEnd = "\x01u";

constexpr size_t kWriteBufferBytes = size_t{16} * 1024 * 1024;

std::string key_of(std::string_view topic) { return std::string(kTopicBegin).append(topic); }

}  // namespace

struct RetainedStore::Database {
  std::string directory;
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::WriteOptions write_options;
  absl::Status error;

  absl::Status check(const rocksdb::Status& status, const std::string& what) {
    if (status.ok()) return absl::OkStatus();
    if (error.ok()) error = to_status(status, "retained messages in " + directory + ": " + what);
    return error;
  }
  absl::Status add(const Change& change, rocksdb::WriteBatch& batch);
};

RetainedStore::RetainedStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

RetainedStore::~RetainedStore() = default;

absl::StatusOr<std::unique_ptr<RetainedStore>> RetainedStore::open(const std::string& directory,
                                                                   Durability durability) {
  auto database = std::make_unique<Database>();
  database->directory = directory;
  database->write_options.sync = durability == Durability::kFsync;
  auto db = open_logged(logged_options(kWriteBufferBytes), directory, "retained messages in");
  if (!db.ok()) return db.status();
  database->db = *std::move(db);
  return std::unique_ptr<RetainedStore>(new RetainedStore(std::move(database)));
}

absl::Status RetainedStore::load(
    const std::function<bool(std::string_view, std::string_view)>& visit) {
  const std::unique_ptr<rocksdb::Iterator> at(database_->db->NewIterator(rocksdb::ReadOptions()));
  for (at->Seek(rocksdb::Slice(kTopicBegin.data(), kTopicBegin.size())); at->Valid(); at->Next()) {
    const std::string_view key = at->key().ToStringView();
    if (!key.starts_with(kTopicBegin)) break;
    if (visit(key.substr(kTopicBegin.size()), at->value().ToStringView())) continue;
    return database_->check(rocksdb::Status::Corruption("a message cannot be read"), "loading");
  }
  return database_->check(at->status(), "loading");
}

absl::StatusOr<std::string> RetainedStore::note() {
  std::string note;
  const rocksdb::Status status = database_->db->Get(rocksdb::ReadOptions(), kNoteKey, &note);
  if (status.IsNotFound()) return std::string();
  if (absl::Status failed = database_->check(status, "reading"); !failed.ok()) return failed;
  return note;
}

absl::Status RetainedStore::Database::add(const Change& change, rocksdb::WriteBatch& batch) {
  switch (change.kind) {
    case Change::Kind::kPut: return check(batch.Put(key_of(change.topic), change.value), "writing");
    case Change::Kind::kErase: return check(batch.Delete(key_of(change.topic)), "writing");
    case Change::Kind::kEraseAll:
      return check(batch.DeleteRange(rocksdb::Slice(kTopicBegin.data(), kTopicBegin.size()),
                                     rocksdb::Slice(kTopicEnd.data(), kTopicEnd.size())),
                   "writing");
    case Change::Kind::kNote: return check(batch.Put(kNoteKey, change.value), "writing");
  }
  return absl::OkStatus();
}

absl::Status RetainedStore::write(std::span<const Change> changes) {
  if (!database_->error.ok()) return database_->error;
  rocksdb::WriteBatch batch;
  for (const Change& each : changes) {
    if (absl::Status failed = database_->add(each, batch); !failed.ok()) return failed;
  }
  return database_->check(database_->db->Write(database_->write_options, &batch), "writing");
}

}  // namespace shoal::storage
