#include "cluster/raft/wire.h"

#include <array>
#include <utility>

#include "node/rules/wire_bytes.h"
#include "shoal/assert.h"

namespace shoal::raft {
namespace {

// An index above this is no honest one, and sums of two stay far from overflow.
constexpr uint64_t kIndexMax = uint64_t{1} << 60;

class Writer {
 public:
  explicit Writer(std::vector<uint8_t>& out) : out_(out) {}

  void byte(uint8_t value) { out_.push_back(value); }
  void number(uint64_t value) {
    std::array<uint8_t, kWireVarintSizeMax> bytes;
    out_.insert(out_.end(), bytes.data(), put_varint(value, bytes.data()));
  }
  void sized(std::span<const uint8_t> bytes) {
    number(bytes.size());
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  void no_later_fields() { number(0); }

 private:
  std::vector<uint8_t>& out_;
};

// -- configurations ----------------------------------------------------------------------------

void put(const Configuration& configuration, Writer& out) {
  out.byte(kWireVersion);
  out.number(configuration.servers.size());
  for (const Server& server : configuration.servers) {
    out.number(server.id.value);
    out.byte(static_cast<uint8_t>(server.role));
  }
  out.no_later_fields();
}

std::optional<Configuration> configuration_from(WireSource& in) {
  Configuration configuration;
  if (in.fixed<uint8_t>() != kWireVersion) return std::nullopt;
  const uint64_t count = in.varint();
  if (count == 0 || count > kServersMax) return std::nullopt;
  for (uint64_t i = 0; i < count; ++i) {
    const NodeId id{in.varint()};
    const auto role = in.fixed<uint8_t>();
    if (!id || (role != 1 && role != 2)) return std::nullopt;
    if (i > 0 && id <= configuration.servers.back().id) return std::nullopt;
    configuration.servers.push_back({id, static_cast<Role>(role)});
  }
  in.sized_bytes();
  if (!in.ok() || configuration.voters() == 0) return std::nullopt;
  return configuration;
}

// -- bodies ------------------------------------------------------------------------------------

uint8_t bits(bool first, bool second) {
  return static_cast<uint8_t>((first ? 1 : 0) | (second ? 2 : 0));
}

void put(const RequestVote& body, Writer& out) {
  out.number(body.last_index);
  out.number(body.last_term);
  out.byte(bits(body.disrupt_leader, body.pre_vote));
}
void put(const VoteResult& body, Writer& out) { out.byte(bits(body.granted, body.pre_vote)); }
void put(const AppendEntries& body, Writer& out) {
  out.number(body.prev_index);
  out.number(body.prev_term);
  out.number(body.commit);
  out.number(body.entries.size());
  for (const Entry& entry : body.entries) {
    out.number(entry.term);
    out.byte(static_cast<uint8_t>(entry.kind));
    out.sized(bytes_of(entry.payload));
  }
}
void put(const AppendResult& body, Writer& out) {
  out.number(body.rejected);
  out.number(body.last_index);
}
void put(const SnapshotMeta& meta, Writer& out) {
  out.number(meta.index);
  out.number(meta.term);
  out.number(meta.configuration_index);
  put(meta.configuration, out);
}
void put(const InstallSnapshot& body, Writer& out) { put(body.meta, out); }
void put(const TimeoutNow& body, Writer& out) {
  out.number(body.last_index);
  out.number(body.last_term);
}

bool is_position(Index index, Term term, Term term_max) {
  return index <= kIndexMax && term <= term_max && (index == 0) == (term == 0);
}

std::optional<Body> request_vote_from(WireSource& in, Term term) {
  RequestVote body{in.varint(), in.varint()};
  const auto flags = in.fixed<uint8_t>();
  body.disrupt_leader = (flags & 1) != 0;
  body.pre_vote = (flags & 2) != 0;
  if (flags > 3 || !is_position(body.last_index, body.last_term, term)) return std::nullopt;
  return body;
}

std::optional<Body> vote_result_from(WireSource& in) {
  const auto flags = in.fixed<uint8_t>();
  if (flags > 3) return std::nullopt;
  return VoteResult{(flags & 1) != 0, (flags & 2) != 0};
}

std::optional<Entry> entry_from(WireSource& in, Index index, Term term_min, Term term_max) {
  Entry entry{index, in.varint(), EntryKind::kCommand, nullptr};
  const auto kind = in.fixed<uint8_t>();
  const std::span<const uint8_t> bytes = in.sized_bytes();
  if (!in.ok() || kind < 1 || kind > 3) return std::nullopt;
  if (entry.term == 0 || entry.term < term_min || entry.term > term_max) return std::nullopt;
  entry.kind = static_cast<EntryKind>(kind);
  if (entry.kind == EntryKind::kChange && !decode_configuration(bytes)) return std::nullopt;
  if (!bytes.empty()) {
    entry.payload = std::make_shared<const std::vector<uint8_t>>(bytes.begin(), bytes.end());
  }
  return entry;
}

std::optional<Body> append_entries_from(WireSource& in, Term term) {
  AppendEntries body{in.varint(), in.varint(), in.varint(), {}};
  if (!is_position(body.prev_index, body.prev_term, term) || body.commit > kIndexMax) {
    return std::nullopt;
  }
  const uint64_t count = in.varint();
  if (count > in.left()) return std::nullopt;  // each takes three bytes at least
  Term least = body.prev_term;
  for (uint64_t i = 0; i < count; ++i) {
    std::optional<Entry> entry = entry_from(in, body.prev_index + 1 + i, least, term);
    if (!entry) return std::nullopt;
    least = entry->term;
    body.entries.push_back(*std::move(entry));
  }
  return body;
}

std::optional<Body> append_result_from(WireSource& in) {
  const AppendResult body{in.varint(), in.varint()};
  if (body.rejected > kIndexMax || body.last_index > kIndexMax) return std::nullopt;
  return body;
}

std::optional<SnapshotMeta> snapshot_from(WireSource& in, Term term_max) {
  SnapshotMeta meta{in.varint(), in.varint(), in.varint(), {}};
  std::optional<Configuration> configuration = configuration_from(in);
  if (!configuration || meta.index == 0) return std::nullopt;
  if (!is_position(meta.index, meta.term, term_max)) return std::nullopt;
  if (meta.configuration_index == 0 || meta.configuration_index > meta.index) return std::nullopt;
  meta.configuration = *std::move(configuration);
  return meta;
}

std::optional<Body> install_snapshot_from(WireSource& in, Term term) {
  std::optional<SnapshotMeta> meta = snapshot_from(in, term);
  if (!meta) return std::nullopt;
  return InstallSnapshot{*std::move(meta)};
}

std::optional<Body> timeout_now_from(WireSource& in, Term term) {
  const TimeoutNow body{in.varint(), in.varint()};
  if (!is_position(body.last_index, body.last_term, term)) return std::nullopt;
  return body;
}

std::optional<Body> body_from(uint8_t kind, WireSource& in, Term term) {
  switch (kind) {
    case 0: return request_vote_from(in, term);
    case 1: return vote_result_from(in);
    case 2: return append_entries_from(in, term);
    case 3: return append_result_from(in);
    case 4: return install_snapshot_from(in, term);
    case 5: return timeout_now_from(in, term);
    default: return std::nullopt;
  }
}

}  // namespace

void encode(const Message& message, std::vector<uint8_t>& out) {
  Writer writer(out);
  writer.byte(kWireVersion);
  writer.byte(static_cast<uint8_t>(message.body.index()));
  writer.number(message.group.shard);
  writer.number(message.group.incarnation);
  writer.number(message.from.value);
  writer.number(message.to.value);
  writer.number(message.term);
  std::visit([&](const auto& body) { put(body, writer); }, message.body);
  writer.no_later_fields();
}

std::optional<Message> decode(std::span<const uint8_t> bytes) {
  WireSource in(bytes);
  if (in.fixed<uint8_t>() != kWireVersion) return std::nullopt;
  const auto kind = in.fixed<uint8_t>();
  const uint64_t shard = in.varint();
  if (shard > UINT32_MAX) return std::nullopt;
  Message message;
  message.group = {static_cast<uint32_t>(shard), in.varint()};
  message.from = {in.varint()};
  message.to = {in.varint()};
  message.term = in.varint();
  if (!message.from || !message.to || message.from == message.to) return std::nullopt;
  if (message.term == 0 || message.term > kIndexMax) return std::nullopt;
  std::optional<Body> body = body_from(kind, in, message.term);
  in.sized_bytes();
  if (!body || !in.ok() || in.left() != 0) return std::nullopt;
  message.body = *std::move(body);
  return message;
}

Payload encode(const Configuration& configuration) {
  SHOAL_ASSERT(configuration.voters() > 0 && configuration.servers.size() <= kServersMax);
  std::vector<uint8_t> bytes;
  Writer writer(bytes);
  put(configuration, writer);
  return std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
}

std::optional<Configuration> decode_configuration(std::span<const uint8_t> bytes) {
  WireSource in(bytes);
  std::optional<Configuration> configuration = configuration_from(in);
  if (!configuration || in.left() != 0) return std::nullopt;
  return configuration;
}

std::vector<uint8_t> encode(const SnapshotMeta& snapshot) {
  std::vector<uint8_t> bytes;
  Writer writer(bytes);
  writer.byte(kWireVersion);
  put(snapshot, writer);
  writer.no_later_fields();
  return bytes;
}

std::optional<SnapshotMeta> decode_snapshot(std::span<const uint8_t> bytes) {
  WireSource in(bytes);
  if (in.fixed<uint8_t>() != kWireVersion) return std::nullopt;
  std::optional<SnapshotMeta> meta = snapshot_from(in, kIndexMax);
  in.sized_bytes();
  if (!meta || !in.ok() || in.left() != 0) return std::nullopt;
  return meta;
}

}  // namespace shoal::raft
