#include "cluster/replica/store.h"

#include <algorithm>
#include <utility>

#include "cluster/replica/message_spec.h"
#include "shoal/assert.h"
#include "shoal/byte_view.h"

namespace shoal::replica {
namespace {

template <class Message>
bool parse(std::span<const uint8_t> bytes, Message& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

Store::Store(const Options& options, Surroundings surroundings, raft::LogReader& log)
    : options_(options),
      groups_({.self = options.self,
               .shards = options.shards,
               .seed = options.seed,
               .trailing = options.trailing,
               .uncommitted_entries_max = options.uncommitted_entries_max},
              log),
      client_(std::make_unique<StoreClient>(client_options(options.incarnation))),
      routes_(options.shards,
              {.tell_workers = std::move(surroundings.tell_workers),
               .applied = std::move(surroundings.applied),
               .waited_for = std::move(surroundings.waited_for),
               .send = [this](NodeId to,
                              const proto::ShardRoutes& m) { send(to, StoreFrame::kRoutes, m); },
               .send_applied =
                   [this](NodeId to, const proto::ShardRoutesApplied& m) {
                     send(to, StoreFrame::kRoutesApplied, m);
                   },
               .reply = [this](NodeId to,
                               proto::StoreReply&& reply) { deliver_reply(to, std::move(reply)); },
               .answer =
                   [this](uint32_t shard, const shard::Effects::OutboxAnswer& answer) {
                     deliver_answer(shard, answer);
                   }}),
      leads_(options.shards),
      figures_(options.shards),
      session_ids_(options.shards) {
  SHOAL_ASSERT(options.shards >= 1 && options.shards <= kShardsMax);
}

StoreClient::Options Store::client_options(uint64_t incarnation) const {
  return {.self = options_.self,
          .incarnation = incarnation,
          .shards = options_.shards,
          .cluster_seed = options_.cluster_seed,
          .workers = options_.workers,
          .piece_bytes = options_.piece_bytes};
}

void Store::begin_life(uint64_t incarnation, Now now) {
  now_ = now;
  incarnation_ = incarnation;
  const std::unique_ptr<StoreClient> before = std::move(client_);
  client_ = std::make_unique<StoreClient>(client_options(incarnation));
  for (uint32_t shard = 0; shard < options_.shards; ++shard) {
    const StoreClient::Leader leader = before->leader(shard);
    if (leader.node) client_->on_leader(shard, leader.node, leader.term);
    to_server(shard, NodeHere{options_.self, incarnation});
  }
}

void Store::send(NodeId to, StoreFrame kind, const google::protobuf::MessageLite& message) {
  if (!peers_.contains(to)) return;
  effects_.frames.push_back({to, kind, message.SerializeAsString()});
}

void Store::to_server(uint32_t shard, ToServer mail) {
  if (groups_.has(shard)) effects_.servers.push_back({shard, std::move(mail)});
}

// Without a leader it is lost: what it is for asks again.
void Store::to_leader(uint32_t shard, StoreFrame kind, const google::protobuf::MessageLite& message,
                      ToServer own) {
  if (shard >= options_.shards) return;
  const NodeId leader = client_->leader(shard).node;
  if (leader == options_.self) return to_server(shard, std::move(own));
  if (leader) send(leader, kind, message);
}

// ---- workers ------------------------------------------------------------------------------------

void Store::on_worker(WorkerIndex from, ToStore&& mail, Now now) {
  now_ = now;
  client_->on_worker(from, std::move(mail), now);
}

void Store::check_routes(Now now) {
  now_ = now;
  routes_.check();
}

// ---- peers --------------------------------------------------------------------------------------

void Store::on_peer(NodeId peer, uint64_t incarnation, Now now) {
  now_ = now;
  peers_[peer] = incarnation;
  for (uint32_t shard = 0; shard < options_.shards; ++shard) {
    to_server(shard, NodeHere{peer, incarnation});
    if (leads_[shard].serves) tell_leader(shard, peer);
  }
  routes_.on_peer(peer);
}

void Store::on_peer_life(NodeId peer, uint64_t incarnation, Now now) {
  now_ = now;
  peers_[peer] = incarnation;
  for (uint32_t shard = 0; shard < options_.shards; ++shard) {
    to_server(shard, NodeHere{peer, incarnation});
  }
}

void Store::on_peer_end(NodeId peer, Now now) {
  now_ = now;
  if (peers_.erase(peer) == 0) return;
  for (uint32_t shard = 0; shard < options_.shards; ++shard) {
    const StoreClient::Leader leader = client_->leader(shard);
    if (leader.node == peer) client_->on_no_leader(shard, leader.term);
  }
  for (auto it = copies_.begin(); it != copies_.end();) {
    const auto [shard, to] = it->first;
    if (to == peer) groups_.on_copy_sent(shard, to, it->second.stream, std::nullopt, now.mono);
    it = to == peer ? copies_.erase(it) : std::next(it);
  }
  for (uint32_t shard = 0; shard < options_.shards; ++shard) to_server(shard, PeerLost{peer});
  if (backup_) backup_->on_peer_end(peer, now);
  routes_.on_peer_end(peer);
}

void Store::on_peer_gone(NodeId peer, uint64_t incarnation, Now now) {
  now_ = now;
  gone_[peer] = std::max(gone_[peer], incarnation);
  for (uint32_t shard = 0; shard < options_.shards; ++shard) {
    to_server(shard, NodeGone{peer, incarnation});
  }
}

void Store::tell_leader(uint32_t shard, NodeId peer) {
  proto::ShardLeader message;
  message.set_shard(shard);
  message.set_term(leads_[shard].term);
  message.set_serves(leads_[shard].serves);
  send(peer, StoreFrame::kLeader, message);
}

void Store::learn_leader(uint32_t shard, NodeId node, uint64_t term) {
  if (term < client_->leader(shard).term) return;
  client_->on_leader(shard, node, term);
  for (uint32_t other = 0; other < options_.shards; ++other) {
    if (other != shard && leads_[other].serves) to_server(other, LeaderChanged{shard});
  }
}

bool Store::on_frame(NodeId from, StoreFrame kind, std::span<const uint8_t> bytes, Now now) {
  now_ = now;
  const auto with = [bytes](auto message, const auto& handle) {
    if (!parse(bytes, message)) return false;
    handle(message);
    return true;
  };
  switch (kind) {
    case StoreFrame::kRaft:
      if (const auto joined = groups_.on_message(from, bytes, now.mono)) introduce(*joined);
      return true;
    case StoreFrame::kLeader:
      return with(proto::ShardLeader(), [&](proto::ShardLeader& m) {
        if (m.shard() >= options_.shards) return;
        if (m.serves()) return learn_leader(m.shard(), from, m.term());
        if (client_->leader(m.shard()).node == from) client_->on_no_leader(m.shard(), m.term());
      });
    case StoreFrame::kRequest:
      return with(proto::StoreRequest(), [&](proto::StoreRequest& m) {
        const uint32_t shard = m.shard();
        to_server(shard, NodeRequest{from, std::move(m)});
      });
    case StoreFrame::kReply:
      return with(proto::StoreReply(),
                  [&](proto::StoreReply& m) { client_->on_reply(from, std::move(m), now); });
    case StoreFrame::kRoutes:
      return with(proto::ShardRoutes(),
                  [&](proto::ShardRoutes& m) { routes_.on_peer_routes(from, m); });
    case StoreFrame::kRoutesApplied:
      return with(proto::ShardRoutesApplied(),
                  [&](proto::ShardRoutesApplied& m) { routes_.on_peer_applied(from, m); });
    case StoreFrame::kOps:
      return with(proto::ShardOps(), [&](proto::ShardOps& m) {
        to_server(m.shard(), OpsFromShard{std::move(*m.mutable_ops()), m.op_count()});
      });
    case StoreFrame::kOutboxAnswer:
      return with(proto::OutboxAnswer(), [&](proto::OutboxAnswer& m) {
        OutboxSender::Answer answer{m.number(), m.accepted()};
        if (m.is_piece()) answer.received = m.received();
        to_server(m.source_shard(), OutboxAnswered{m.shard(), answer});
      });
    case StoreFrame::kWant:
      return with(proto::ShareWant(), [&](proto::ShareWant& m) {
        to_server(m.shard(), MemberWants{m.group(), m.client_id(), m.room()});
      });
    case StoreFrame::kCopyPortion:
      return with(proto::CopyPortion(),
                  [&](proto::CopyPortion& m) { on_portion(from, std::move(m)); });
    case StoreFrame::kCopyAck:
      return with(proto::CopyAck(), [&](proto::CopyAck& m) { on_copy_ack(from, m); });
    case StoreFrame::kBackupAsk:
      return with(proto::BackupAsk(), [&](proto::BackupAsk& m) { on_backup_ask(from, m); });
    case StoreFrame::kBackupTold:
    case StoreFrame::kBackupPortion:
      return with(proto::BackupTold(),
                  [&](proto::BackupTold& m) { on_backup_told(from, std::move(m)); });
  }
  return true;
}

// ---- servers and disks --------------------------------------------------------------------------

void Store::on_host(uint32_t shard, HostEffects&& effects, Now now) {
  now_ = now;
  figures_[shard] = effects.figures;
  session_ids_[shard].apply(effects.server.sessions);  // before what it answers goes out
  on_server(shard, effects.term, std::move(effects.server));
  for (const HostEffects::Begun& each : effects.begun) on_begun(shard, each);
  for (const HostEffects::Portion& each : effects.portions) {
    if (!is_copying(shard, each.to, each.message.stream())) continue;
    send(each.to, StoreFrame::kCopyPortion, each.message);
  }
  if (effects.staged && *effects.staged == coming_[shard]) {
    groups_.on_staged(shard, effects.staged->index);
  }
  for (const HostEffects::Acked& each : effects.acks) {
    send(each.to, StoreFrame::kCopyAck, each.message);
  }
  for (const HostEffects::Done& each : effects.done) on_copied(shard, each);
  for (BackupParts::Told& each : effects.backup_told) tell_backup(std::move(each));
  if (!effects.is_installed) return;
  // What waited behind it may go, up to the next of its kind.
  std::deque<raft::Effects::Persist> waiting = std::move(installing_[shard]);
  installing_.erase(shard);
  effects_.raft.persists.push_back(std::move(waiting.front()));
  waiting.pop_front();
  for (raft::Effects::Persist& each : waiting) write(std::move(each));
}

void Store::on_server(uint32_t shard, uint64_t term, ServerEffects&& effects) {
  const Now now = now_;
  if (effects.applied != 0) groups_.on_applied(shard, effects.applied, now.mono);
  const bool leads = leads_[shard].serves && leads_[shard].term == term;
  if (!leads) return;
  if (!effects.entries.empty()) {
    groups_.on_entries(shard, term, std::move(effects.entries), now.mono);
  }
  std::vector<NodeId> peers;
  for (const auto& [peer, incarnation] : peers_) peers.push_back(peer);
  for (ServerEffects::Routes& each : effects.routes) {
    routes_.on_own(shard, std::move(each), peers);
  }
  for (ServerEffects::Reply& each : effects.replies) routes_.hold(shard, std::move(each));
  for (ServerEffects::Publish& each : effects.publishes) {
    const size_t bytes = each.message.pieces ? each.message.pieces->bytes : 0;
    effects_.publishes.push_back({shard, each.number, each.least,
                                  message_of(each.message, now, {std::move(each.payload), bytes}),
                                  each.is_will, std::move(each.group), std::move(each.picks)});
  }
  for (const uint64_t number : effects.picked) effects_.picked.push_back({shard, number});
  for (ServerEffects::ToShard& each : effects.to_shards) {
    proto::ShardOps message;
    message.set_shard(each.shard);
    message.set_ops(each.ops);
    message.set_op_count(each.op_count);
    to_leader(each.shard, StoreFrame::kOps, message,
              OpsFromShard{std::move(each.ops), each.op_count});
  }
  for (const ServerEffects::OutboxAnswer& each : effects.outbox_answers) {
    routes_.hold(shard, each);
  }
  for (ServerEffects::Want& each : effects.wants) {
    proto::ShareWant message;
    message.set_shard(each.shard);
    message.set_group(each.group);
    message.set_client_id(each.client_id);
    message.set_room(each.room);
    to_leader(each.shard, StoreFrame::kWant, message,
              MemberWants{std::move(each.group), std::move(each.client_id), each.room});
  }
  for (ServerEffects::RetainedQuery& each : effects.retained_queries) {
    effects_.retained_queries.push_back({shard, std::move(each)});
  }
  std::move(effects.drops.begin(), effects.drops.end(), std::back_inserter(effects_.drops));
  routes_.check();
}

void Store::on_retained(uint32_t shard, RetainedFound&& found) {
  to_server(shard, std::move(found));
}

void Store::on_persisted(raft::GroupId group, uint64_t number, Now now) {
  now_ = now;
  if (groups_.on_persisted(group, number, now.mono)) to_server(group.shard, ForgetState{});
}

void Store::on_flushed(uint32_t shard, raft::Index index, Now now) {
  now_ = now;
  groups_.on_flushed(shard, index, now.mono);
}

void Store::on_tick(Now now) {
  now_ = now;
  groups_.on_tick(now.mono);
  client_->on_tick(now);
  if (backup_) backup_->on_tick(now);
  routes_.check();
}

// ---- leaderships --------------------------------------------------------------------------------

void Store::on_role(const raft::Effects::RoleChange& role) {
  const uint32_t shard = role.group.shard;
  Lead& lead = leads_[shard];
  const bool led = lead.serves;
  if (!role.serving && !led) return;
  if (role.serving && led && role.term == lead.term) return;
  lead = {role.serving, role.term};
  to_server(shard, Role{role.serving, role.term});
  if (role.serving) {
    routes_.on_lead(shard, role.term);
    learn_leader(shard, options_.self, role.term);
  } else {
    routes_.on_lead_end(shard);
    if (client_->leader(shard).node == options_.self) client_->on_no_leader(shard, role.term);
  }
  for (const auto& [peer, incarnation] : peers_) tell_leader(shard, peer);
}

void Store::deliver_reply(NodeId to, proto::StoreReply&& reply) {
  if (to == options_.self) return client_->on_reply(to, std::move(reply), now_);
  send(to, StoreFrame::kReply, reply);
}

void Store::deliver_answer(uint32_t shard, const shard::Effects::OutboxAnswer& answer) {
  proto::OutboxAnswer message;
  message.set_source_shard(answer.source_shard);
  message.set_shard(shard);
  message.set_number(answer.number);
  message.set_accepted(answer.accepted);
  message.set_is_piece(answer.received.has_value());
  message.set_received(answer.received.value_or(0));
  to_leader(answer.source_shard, StoreFrame::kOutboxAnswer, message,
            OutboxAnswered{shard, {answer.number, answer.accepted, answer.received}});
}

// ---- the end of a turn --------------------------------------------------------------------------

// Each part may give the others work: a reply lets a worker go on, a request is for a server here.
StoreEffects& Store::end_turn() {
  Groups::Effects& groups = groups_.end_turn();
  for (raft::Effects::Apply& each : groups.raft.applies) {
    to_server(each.group.shard, Committed{std::move(each.entries)});
  }
  for (const raft::Effects::RoleChange& each : groups.raft.roles) on_role(each);
  for (Groups::Send& each : groups.sends) {
    if (!peers_.contains(each.to)) continue;
    effects_.frames.push_back({each.to, StoreFrame::kRaft, std::string(text_of(each.bytes))});
  }
  for (raft::Effects::Persist& each : groups.raft.persists) write(std::move(each));
  for (const raft::Effects::SendSnapshot& each : groups.raft.snapshots) {
    want_copy(each);
  }
  std::move(groups.raft.cuts.begin(), groups.raft.cuts.end(),
            std::back_inserter(effects_.raft.cuts));
  std::move(groups.raft.configurations.begin(), groups.raft.configurations.end(),
            std::back_inserter(effects_.raft.configurations));
  groups.clear();
  ClientEffects& client = client_->end_turn();
  for (ClientEffects::Request& each : client.requests) {
    if (each.to == options_.self) {
      const uint32_t shard = each.message.shard();
      to_server(shard, NodeRequest{options_.self, std::move(each.message)});
    } else {
      send(each.to, StoreFrame::kRequest, each.message);
    }
  }
  std::move(client.mails.begin(), client.mails.end(), std::back_inserter(effects_.mails));
  client.clear();
  return effects_;
}

bool Store::is_ready() const {
  for (uint32_t shard = 0; shard < options_.shards; ++shard) {
    const StoreClient::Leader& leader = client_->leader(shard);
    if (!leader.node || !routes_.is_known(shard, leader.term)) return false;
  }
  return true;
}

}  // namespace shoal::replica
