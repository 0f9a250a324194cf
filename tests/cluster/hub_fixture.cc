#include "tests/cluster/hub_fixture.h"

#include <algorithm>

#include "cluster/core/frame.h"
#include "node/rules/forward_batch.h"
#include "proto/shoal/hub.pb.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

std::string address_of(int index) { return "10.0.0." + std::to_string(index + 1) + ":7883"; }

bool is_confirmation(std::span<const uint8_t> bytes) {
  const std::optional<ParsedFrame> frame = parse_frame(bytes);
  if (!frame || frame->header.kind != FrameKind::kStateAnswer) return false;
  proto::StateAnswer answer;
  return answer.ParseFromArray(frame->body.data(), static_cast<int>(frame->body.size())) &&
         answer.confirmed_size() != 0;
}

}  // namespace

HubCluster::HubCluster(ClusterOptions options) : random_(options.seed) {
  std::vector<std::string> seeds;
  for (int i = 0; i < options.nodes; ++i) seeds.push_back(address_of(i));
  for (int i = 0; i < options.nodes; ++i) {
    HubConfig config;
    config.limits = options.limits;
    config.node_name = "n" + std::to_string(i + 1);
    config.advertise = address_of(i);
    if (options.nodes > 1) config.join = seeds;
    config.expect = options.expect >= 0 ? options.expect : options.nodes;
    config.workers = options.workers;
    add_node(std::move(config));
  }
  if (!options.start) return;
  for (int i = 0; i < size(); ++i) start(i);
}

HubCluster::~HubCluster() = default;

int HubCluster::add_node(HubConfig config) {
  auto node = std::make_unique<HubNode>();
  node->disk.id = NodeId{random_.next() | 1};
  node->address = config.advertise;
  node->config = std::move(config);
  nodes_.push_back(std::move(node));
  return size() - 1;
}

MemberStatus HubCluster::member(int index, int other) const {
  for (const MemberStatus& member : status(index).members) {
    if (member.id == id(other)) return member;
  }
  return {};
}

void HubCluster::command(int index, uint64_t token, HubCommand command) {
  nodes_[index]->hub->on_command(token, command, now());
  carry_out(index);
}

// ---- time ---------------------------------------------------------------------------------------

void HubCluster::after(Duration delay, std::function<void()> run) {
  events_.push({now_ + delay, ++order_, std::move(run)});
}

void HubCluster::run(int64_t ms) {
  run_until([] { return false; }, ms);
}

bool HubCluster::run_until(const std::function<bool()>& done, int64_t ms) {
  const Instant end = now_ + Duration::millis(ms);
  while (!done()) {
    if (events_.empty() || events_.top().at > end) {
      now_ = end;
      return done();
    }
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    event.run();
  }
  return true;
}

void HubCluster::to_node(int index, int life, std::function<void()> run) {
  HubNode& node = *nodes_[index];
  if (node.life != life || !node.hub) return;
  if (node.frozen_until) {
    node.unread.push_back(std::move(run));
    return;
  }
  run();
  carry_out(index);
}

void HubCluster::tick(int index, int life) {
  HubNode& node = *nodes_[index];
  if (node.life != life || !node.hub) return;
  if (!node.frozen_until) {
    node.hub->on_tick(now());
    node.hub->check_invariants();
    carry_out(index);
  }
  after(Hub::kTick, [this, index, life] { tick(index, life); });
}

// ---- faults -------------------------------------------------------------------------------------

void HubCluster::start(int index) {
  HubNode& node = *nodes_[index];
  SHOAL_ASSERT(!node.hub);
  ++node.life;
  ++node.disk.incarnation;
  const auto workers = static_cast<size_t>(node.config.workers);
  node.batches.assign(workers, 0);
  node.synced.assign(workers, 0);
  node.numbers.assign(workers, 0);
  node.mail.clear();
  node.got.clear();
  node.ups.clear();
  node.ack_until = {};
  node.confirmed.reset();
  node.hub = std::make_unique<Hub>(node.config, node.disk, random_.next());
  node.hub->on_start(now());
  carry_out(index);
  const int life = node.life;
  after(Duration::millis(static_cast<int64_t>(random_.below(50))),
        [this, index, life] { tick(index, life); });
}

void HubCluster::crash(int index) {
  HubNode& node = *nodes_[index];
  node.hub.reset();
  node.frozen_until.reset();
  node.unread.clear();
  for (const auto& connection : connections_) {
    for (int end = 0; end < 2; ++end) {
      if (connection->ends[end].node != index || !connection->ends[end].is_open) continue;
      connection->ends[end].is_open = false;
      tell_down(*connection, 1 - end);
    }
  }
}

void HubCluster::wipe(int index) {
  SHOAL_ASSERT(!nodes_[index]->hub);
  nodes_[index]->disk = StoredState{.id = NodeId{random_.next() | 1}};
}

void HubCluster::move(int index, const std::string& address) {
  SHOAL_ASSERT(!nodes_[index]->hub);
  nodes_[index]->address = address;
  nodes_[index]->config.advertise = address;
}

void HubCluster::freeze(int index, int64_t ms) {
  HubNode& node = *nodes_[index];
  node.frozen_until = now_ + Duration::millis(ms);
  after(Duration::millis(ms), [this, index, life = node.life] { thaw(index, life); });
}

void HubCluster::thaw(int index, int life) {
  HubNode& node = *nodes_[index];
  if (node.life != life || !node.hub) return;
  node.frozen_until.reset();
  // The timer and the sockets are ready at once; which is served first is chance.
  if (random_.one_in(2)) {
    node.hub->on_tick(now());
    carry_out(index);
  }
  while (!node.unread.empty() && node.hub) {
    const std::function<void()> run = std::move(node.unread.front());
    node.unread.pop_front();
    run();
    carry_out(index);
  }
}

void HubCluster::cut(int from, int to) { cuts_.emplace(from, to); }

void HubCluster::cut_both(int a, int b) {
  cut(a, b);
  cut(b, a);
}

void HubCluster::heal() {
  cuts_.clear();
  for (size_t i = 0; i < connections_.size(); ++i) {
    Connection& connection = *connections_[i];
    for (int end = 0; end < 2; ++end) {
      auto held = std::exchange(connection.ends[end].held, {});
      for (auto& [lane, frame] : held) deliver(connection, end, lane, std::move(frame));
      // What one side closed while the way was cut, the other hears now.
      if (!connection.ends[1 - end].is_open) tell_down(connection, end);
    }
  }
}

void HubCluster::reset_links(int a, int b) {
  for (const auto& connection : connections_) {
    const int first = connection->ends[0].node;
    const int second = connection->ends[1].node;
    if (!((first == a && second == b) || (first == b && second == a))) continue;
    // What was on its way is lost.
    for (End& end : connection->ends) {
      if (!end.is_open) continue;
      end.is_open = false;
      to_node(end.node, end.life,
              [this, &end] { nodes_[end.node]->hub->on_link_down(end.link, "reset", now()); });
    }
  }
}

// ---- network ------------------------------------------------------------------------------------

std::pair<HubCluster::Connection*, int> HubCluster::find(int index, LinkId link) {
  const auto it = by_link_.find({index, link});
  return it == by_link_.end() ? std::pair<Connection*, int>{nullptr, 0} : it->second;
}

void HubCluster::dial(int index, const HubEffects::Dial& dial) {
  const int life = nodes_[index]->life;
  const LinkId link = dial.link;
  int target = -1;
  for (int i = 0; i < size(); ++i) {
    if (nodes_[i]->address == dial.address && nodes_[i]->hub) target = i;
  }
  const auto delay =
      Duration::millis(1 + static_cast<int64_t>(random_.below(slow_dials_ ? 1500 : 3)));
  if (target < 0) {
    after(delay, [this, index, life, link] {
      to_node(index, life,
              [this, index, link] { nodes_[index]->hub->on_link_down(link, "refused", now()); });
    });
    return;
  }
  after(delay, [this, index, life, link, target, target_life = nodes_[target]->life] {
    // On a cut way there is no answer at all.
    if (!is_cut(index, target) && !is_cut(target, index)) {
      connect(index, life, link, target, target_life);
    }
  });
}

void HubCluster::connect(int index, int life, LinkId link, int target, int target_life) {
  HubNode& from = *nodes_[index];
  HubNode& to = *nodes_[target];
  if (from.life != life || !from.hub) return;
  if (to.life != target_life || !to.hub) {
    to_node(index, life,
            [this, index, link] { nodes_[index]->hub->on_link_down(link, "refused", now()); });
    return;
  }
  auto connection = std::make_unique<Connection>();
  const LinkId accepted = ++to.last_accepted;
  connection->ends[0] = {index, life, link, true, {}};
  connection->ends[1] = {target, target_life, accepted, true, {}};
  by_link_[{index, link}] = {connection.get(), 0};
  by_link_[{target, accepted}] = {connection.get(), 1};
  connections_.push_back(std::move(connection));
  to_node(index, life,
          [this, index, link] { nodes_[index]->hub->on_link_up(link, true, "", now()); });
  to_node(target, target_life, [this, target, accepted] {
    nodes_[target]->hub->on_link_up(accepted, false, "peer", now());
  });
}

void HubCluster::close(int index, LinkId link) {
  const auto [connection, end] = find(index, link);
  if (connection == nullptr) return;
  connection->ends[end].is_open = false;
  tell_down(*connection, 1 - end);
}

void HubCluster::tell_down(Connection& connection, int end) {
  End& told = connection.ends[end];
  if (!told.is_open || is_cut(connection.ends[1 - end].node, told.node)) return;
  // After what is on its way already.
  Instant last = now_;
  for (const Instant arrival : connection.last[end]) last = std::max(last, arrival);
  after(last - now_ + Duration::millis(1), [this, &told] {
    if (!told.is_open) return;
    told.is_open = false;
    to_node(told.node, told.life,
            [this, &told] { nodes_[told.node]->hub->on_link_down(told.link, "reset", now()); });
  });
}

void HubCluster::send_frame(int index, const HubEffects::Send& send) {
  const auto [connection, end] = find(index, send.link);
  if (connection == nullptr || !connection->ends[end].is_open) return;
  End& to = connection->ends[1 - end];
  if (is_cut(index, to.node)) {
    to.held.emplace_back(send.lane, send.frame);
  } else if (!to.is_open) {
    tell_down(*connection, end);
  } else {
    deliver(*connection, 1 - end, send.lane, send.frame);
  }
}

void HubCluster::deliver(Connection& connection, int end, Lane lane, FrameRef frame) {
  // Each lane for itself: between them there is no order.
  Instant& last = connection.last[end][static_cast<size_t>(lane)];
  const Duration delay{static_cast<int64_t>(200'000 + random_.below(1'000'000))};
  last = std::max(last + Duration{1}, now_ + delay);
  after(last - now_, [this, &connection, end, lane, frame = std::move(frame)] {
    const End& to = connection.ends[end];
    if (!to.is_open) return;
    to_node(to.node, to.life, [this, &to, lane, frame] {
      if (to.is_open) nodes_[to.node]->hub->on_frame(to.link, lane, *frame, now());
    });
  });
}

// ---- effects ------------------------------------------------------------------------------------

void HubCluster::carry_out(int index) {
  HubNode& node = *nodes_[index];
  if (!node.hub) return;
  const HubEffects effects = std::exchange(node.hub->effects(), {});
  for (const auto& log : effects.logs) node.log.push_back(log.line);
  for (const auto& answer : effects.answers) node.answers.push_back(answer);
  for (const auto& send : effects.sends) {
    if (!node.confirmed && is_confirmation(*send.frame)) node.confirmed = now_;
    send_frame(index, send);
  }
  for (const auto& dialled : effects.dials) dial(index, dialled);
  for (const auto& closed : effects.closes) close(index, closed.link);
  carry_out_stores(index, effects);
  carry_out_mails(index, effects);
}

void HubCluster::carry_out_stores(int index, const HubEffects& effects) {
  const int life = nodes_[index]->life;
  for (const auto& store : effects.stores) {
    after(Duration::millis(2), [this, index, life, store] {
      if (nodes_[index]->life != life || !nodes_[index]->hub) return;
      nodes_[index]->disk = store.state;
      to_node(index, life,
              [this, index, token = store.token] { nodes_[index]->hub->on_stored(token, now()); });
    });
  }
}

void HubCluster::carry_out_mails(int index, const HubEffects& effects) {
  const HubNode& node = *nodes_[index];
  for (const auto& [workers, mail] : effects.mails) {
    for (int w = 0; w < node.config.workers; ++w) {
      if ((workers >> w & 1) == 0) continue;
      const auto worker = static_cast<WorkerIndex>(w);
      after(Duration{10'000}, [this, index, life = node.life, worker, mail = mail] {
        to_node(index, life, [this, index, worker, mail] { on_mail(index, worker, mail); });
      });
    }
  }
}

// ---- workers ------------------------------------------------------------------------------------

void HubCluster::send(int index, WorkerIndex worker, ToHub mail) {
  nodes_[index]->hub->on_worker(worker, std::move(mail), now());
  carry_out(index);
}

void HubCluster::on_mail(int index, WorkerIndex worker, const ToWorker& mail) {
  HubNode& node = *nodes_[index];
  node.mail.push_back({worker, mail});
  if (const auto* update = std::get_if<RouteUpdate>(&mail); update && node.applies_routes) {
    send(index, worker, RoutesApplied{update->number});
  } else if (const auto* synced = std::get_if<RoutesSynced>(&mail)) {
    node.synced[worker] = synced->number;
  } else if (const auto* until = std::get_if<AckUntil>(&mail)) {
    node.ack_until = until->until;
  } else if (const auto* up = std::get_if<PeerUp>(&mail)) {
    if (worker == 0) ++node.ups[up->node];
  } else if (const auto* down = std::get_if<PeerDown>(&mail)) {
    if (worker == 0) --node.ups[down->node];
  } else if (std::get_if<AllClose>(&mail)) {
    if (worker == 0) ++node.all_closes;
    if (node.closes_all) send(index, worker, AllClosed{});
  } else if (const auto* evict = std::get_if<Evict>(&mail); evict && node.evicts) {
    send(index, worker, EvictDone{evict->client_id, evict->stamp});
  } else if (const auto* forwarded = std::get_if<ForwardIn>(&mail)) {
    on_forward(index, worker, *forwarded);
  }
}

void HubCluster::on_forward(int index, WorkerIndex worker, const ForwardIn& mail) {
  ForwardBatchReader reader(*mail.batch, now_);
  ForwardRecord record;
  while (reader.next(record)) {
    const auto payload = record.message.payload;
    nodes_[index]->got.push_back(std::to_string(worker) + ":" +
                                 std::string(payload.begin(), payload.end()));
  }
  SHOAL_ASSERT(reader.ok());
  if (!nodes_[index]->consumes) return;
  send(index, worker, ForwardConsumed{mail.node, mail.batch->bytes()});
  if (mail.batch->first_number == 0) return;
  send(index, worker,
       AcceptOut{{mail.node, mail.batch->origin_worker},
                 {{mail.batch->first_number, mail.batch->last_number, Acceptance::kAccepted}}});
}

uint64_t HubCluster::subscribe(int index, WorkerIndex worker, const std::string& filter) {
  const uint64_t number = ++nodes_[index]->batches[worker];
  send(index, worker, RouteBatch{number, {{filter, {1, 0}}}});
  return number;
}

uint64_t HubCluster::unsubscribe(int index, WorkerIndex worker, const std::string& filter) {
  const uint64_t number = ++nodes_[index]->batches[worker];
  send(index, worker, RouteBatch{number, {{filter, {}}}});
  return number;
}

bool HubCluster::is_synced(int index, WorkerIndex worker, uint64_t number) const {
  return nodes_[index]->synced[worker] >= number;
}

uint64_t HubCluster::forward(int from, WorkerIndex worker, int to, uint64_t mask,
                             const std::string& payload, Qos qos) {
  HubNode& node = *nodes_[from];
  ForwardBatchWriter writer(worker);
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(payload.data()),
                                       payload.size());
  MessageView view;
  view.qos = qos;
  view.topic = "t";
  view.payload = bytes;
  if (payload.size() >= node.config.limits.large_payload) {
    writer.append_large(Message::create(view), mask, {}, now_);
  } else {
    writer.append(view, mask, {}, now_);
  }
  std::vector<ForwardBatchRef> batches;
  writer.finish(batches);
  auto batch = std::make_shared<ForwardBatch>(*batches.at(0));
  if (batch->first_number != 0) batch->first_number = batch->last_number = ++node.numbers[worker];
  send(from, worker, ForwardOut{member(from, to).slot, batch});
  return batch->first_number;
}

// ---- what should hold ---------------------------------------------------------------------------

bool HubCluster::may_acknowledge(int index) const {
  const HubNode& node = *nodes_[index];
  return node.hub && !node.frozen_until && node.ack_until >= now_;
}

bool HubCluster::all_ready() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [this](const auto& node) {
    return !node->hub || (!node->frozen_until && node->hub->status(now()).ready);
  });
}

bool HubCluster::routes_equal() const {
  std::optional<uint64_t> digest;
  for (const auto& node : nodes_) {
    if (!node->hub) continue;
    if (digest && *digest != node->hub->routes_digest()) return false;
    digest = node->hub->routes_digest();
  }
  return true;
}

}  // namespace shoal
