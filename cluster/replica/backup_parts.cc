#include "cluster/replica/backup_parts.h"

#include <utility>

#include "cluster/replica/shard_server.h"

namespace shoal::replica {
namespace {

constexpr size_t kBackupPortionBytes = 512 * 1024;
constexpr int kPartTicksMax = 600;  // thirty seconds
// A session and a message in a queue, beside what messages have.
constexpr uint64_t kSessionBytes = 400;
constexpr uint64_t kQueuedBytes = 40;

constexpr char kNotLed[] = "it has another leader now";
constexpr char kGone[] = "what was kept of it is gone";

using Step = proto::BackupAsk;  // whose steps have no scope of their own

bool leads_still(const ShardServer& server, uint64_t term) {
  return server.is_serving() && server.term() == term;
}

proto::BackupTold answer_to(const proto::BackupAsk& ask) {
  proto::BackupTold told;
  told.set_shard(ask.shard());
  told.set_cut(ask.cut());
  told.set_step(ask.step());
  return told;
}

uint64_t bytes_about(const shard::MetaRecord& meta) {
  return meta.bodies_bytes + meta.sessions * kSessionBytes + meta.queued * kQueuedBytes;
}

}  // namespace

absl::Status BackupParts::on_ask(NodeId from, const proto::BackupAsk& ask, ShardServer& server,
                                 const Pin& pin) {
  if (ask.step() == Step::kHold) {
    hold(from, ask, server);
    return absl::OkStatus();
  }
  const auto at = parts_.find(from);
  if (at == parts_.end() || at->second.cut != ask.cut()) {
    if (ask.step() != Step::kEnd) refuse(from, ask, kGone);
    return absl::OkStatus();
  }
  Part& part = at->second;
  part.ticks = 0;
  switch (ask.step()) {
    case Step::kPin: {
      const bool is_held = server.is_held(part.cut);
      if (!leads_still(server, part.term) || !is_held) {
        drop(at, server);
        refuse(from, ask, kNotLed);
        return absl::OkStatus();
      }
      server.hold(part.cut);  // anew
      absl::StatusOr<Pinned> pinned = pin();
      if (!pinned.ok()) return pinned.status();
      part.pinned = *std::move(pinned);
      proto::BackupTold told = answer_to(ask);
      told.set_index(part.pinned.index);
      told.set_bytes(bytes_about(server.state().meta()));
      told_.push_back({from, std::move(told)});
      return absl::OkStatus();
    }
    case Step::kRelease: release(at, ask, server); return absl::OkStatus();
    case Step::kPortion: return send_portion(from, part, ask);
    case Step::kEnd: drop(at, server); return absl::OkStatus();
    default: return absl::OkStatus();
  }
}

void BackupParts::hold(NodeId from, const proto::BackupAsk& ask, ShardServer& server) {
  if (const auto at = parts_.find(from); at != parts_.end()) drop(at, server);
  if (!leads_still(server, ask.term())) return refuse(from, ask, kNotLed);
  server.hold(ask.cut());
  parts_[from] = {.shard = ask.shard(), .cut = ask.cut(), .term = ask.term()};
  told_.push_back({from, answer_to(ask)});
}

// A leader that does not know yet that there is another cannot commit anything: so what is committed
// from here on says that nobody else led while it held.
void BackupParts::release(Parts::iterator at, const proto::BackupAsk& ask, ShardServer& server) {
  Part& part = at->second;
  if (!leads_still(server, part.term) || !server.release(part.cut)) {
    const NodeId from = at->first;
    drop(at, server);
    return refuse(from, ask, kNotLed);
  }
  part.barrier = server.add_barrier();
}

absl::Status BackupParts::send_portion(NodeId to, Part& part, const proto::BackupAsk& ask) {
  if (!part.pinned.reader || ask.number() != part.number + 1) {
    refuse(to, ask, kGone);
    return absl::OkStatus();
  }
  absl::StatusOr<shard::StatePortion> portion =
      part.pinned.reader->portion(part.after, kBackupPortionBytes);
  if (!portion.ok()) return portion.status();
  proto::BackupTold told = answer_to(ask);
  told.set_number(++part.number);
  told.set_done(portion->done);
  if (!portion->items.empty()) part.after = portion->items.back().first;
  for (auto& [key, value] : portion->items) {
    told.add_keys(std::move(key));
    told.add_values(std::move(value));
  }
  if (portion->done) part.pinned.reader.reset();
  told_.push_back({to, std::move(told)});
  return absl::OkStatus();
}

void BackupParts::refuse(NodeId to, const proto::BackupAsk& ask, std::string why) {
  proto::BackupTold told = answer_to(ask);
  told.set_refused(std::move(why));
  told_.push_back({to, std::move(told)});
}

BackupParts::Parts::iterator BackupParts::drop(Parts::iterator at, ShardServer& server) {
  server.release(at->second.cut);
  return parts_.erase(at);
}

void BackupParts::on_peer_lost(NodeId peer, ShardServer& server) {
  if (const auto at = parts_.find(peer); at != parts_.end()) drop(at, server);
}

void BackupParts::on_tick(ShardServer& server) {
  for (auto at = parts_.begin(); at != parts_.end();) {
    at = ++at->second.ticks > kPartTicksMax ? drop(at, server) : std::next(at);
  }
}

void BackupParts::on_turn(const ShardServer& server) {
  for (auto at = parts_.begin(); at != parts_.end();) {
    Part& part = at->second;
    const bool leads = leads_still(server, part.term);
    const bool is_over = part.barrier && !leads;
    const bool is_done = part.barrier && leads && server.has_applied(*part.barrier);
    if (is_over || is_done) {
      proto::BackupTold told;
      told.set_shard(part.shard);
      told.set_cut(part.cut);
      told.set_step(Step::kRelease);
      if (is_over) told.set_refused(kNotLed);
      told_.push_back({at->first, std::move(told)});
      part.barrier.reset();
    }
    at = is_over ? parts_.erase(at) : std::next(at);
  }
}

}  // namespace shoal::replica
