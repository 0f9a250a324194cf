#include "cluster/engine/retained_writer.h"

#include <string>
#include <utility>

#include "cluster/core/retained_record.h"
#include "proto/shoal/hub.pb.h"
#include "shoal/byte_view.h"

namespace shoal::engine {
namespace {

using Change = storage::RetainedStore::Change;
using Kind = HubEffects::RetainedWrite::Kind;

std::string record_of(const HubEffects::RetainedWrite& write) {
  return retained_record_of(*write.message, write.stamp, write.wall_ms).SerializeAsString();
}

Change change_of(HubEffects::RetainedWrite&& write) {
  switch (write.kind) {
    case Kind::kPut:
      return {Change::Kind::kPut, std::string(write.message->topic()), record_of(write)};
    case Kind::kForget: return {Change::Kind::kErase, std::move(write.topic), {}};
    case Kind::kClear: return {Change::Kind::kEraseAll, {}, {}};
    case Kind::kAsOf: break;
  }
  proto::RetainedNote note;
  note.set_as_of_ms(write.wall_ms);
  return {Change::Kind::kNote, {}, note.SerializeAsString()};
}

bool read_item(std::string_view topic, std::string_view value, Now now,
               StoredRetained::Item& item) {
  proto::RetainedRecord record;
  if (topic.empty() || !record.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    return false;
  }
  if (record.node() == 0 || record.qos() > 2) return false;
  MessageView view;
  view.topic = topic;
  view.qos = static_cast<Qos>(record.qos());
  view.retain = true;
  view.properties = bytes_of(record.properties());
  view.payload = bytes_of(record.payload());
  view.publisher = record.publisher();
  if (record.expires_ms() != 0) {
    view.expires_at = now.mono + Duration::millis(record.expires_ms() - now.wall_ms);
  }
  item = {Message::create(view), {record.counter(), NodeId{record.node()}}};
  return true;
}

}  // namespace

absl::StatusOr<StoredRetained> load_retained(storage::RetainedStore& store, Now now) {
  StoredRetained stored;
  const absl::Status loaded = store.load([&](std::string_view topic, std::string_view value) {
    return read_item(topic, value, now, stored.items.emplace_back());
  });
  if (!loaded.ok()) return loaded;
  absl::StatusOr<std::string> text = store.note();
  if (!text.ok()) return text.status();
  proto::RetainedNote note;
  if (note.ParseFromString(*text)) stored.as_of_ms = note.as_of_ms();
  return stored;
}

RetainedWriter::RetainedWriter(storage::RetainedStore& store, StoreSink& sink)
    : store_(store), sink_(sink), thread_([this] { run(); }) {}

RetainedWriter::~RetainedWriter() { stop(); }

void RetainedWriter::stop() {
  inbox_.close();
  if (thread_.joinable()) thread_.join();
}

void RetainedWriter::run() {
  std::vector<HubEffects::RetainedWrite> writes;
  while (inbox_.take(writes)) {
    const uint64_t last = writes.back().number;
    std::vector<Change> changes;
    for (HubEffects::RetainedWrite& each : writes) changes.push_back(change_of(std::move(each)));
    writes.clear();
    if (const absl::Status written = store_.write(changes); !written.ok()) {
      return sink_.on_store_failed(std::string(written.message()));
    }
    sink_.on_retained_written(last);
  }
}

}  // namespace shoal::engine
