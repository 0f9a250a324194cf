#include "tests/sim/sim_node.h"

#include <algorithm>

#include "shoal/assert.h"

namespace shoal::sim {
namespace {

std::string name_of(LinkId link) {
  return link < kAcceptedLink ? "link " + std::to_string(link)
                              : "link a" + std::to_string(link - kAcceptedLink);
}

}  // namespace

// A client's connection as the node's kernel and worker hold it.
struct SimNode::ServerEnd {
  SimClient* client = nullptr;
  uint64_t connection = 0;
  uint64_t life = 0;
  int worker = 0;
  ConnId conn;
  bool accepted = false;
  bool closed = false;   // the client or the network closed it
  bool closing = false;  // the broker asked for it, output first
  bool paused = false;   // the broker does not read
  bool pumping = false;
  std::vector<uint8_t> unread;  // arrived while paused
  size_t on_way = 0;            // bytes to the client
  Duration latency;             // of the way between device and node, mostly
  Instant last_to_server, last_to_client;
};

struct SimNode::Process {
  struct Thread {
    std::deque<Task> inbox;
    std::deque<Task> sockets;  // of clients; nobody says which of the two is looked at first
    bool empty() const { return inbox.empty() && sockets.empty(); }
    bool scheduled = false;
    bool due = false;  // its turn came while the node was frozen
  };

  std::unique_ptr<Hub> hub;
  std::vector<std::unique_ptr<Broker>> brokers;
  std::map<int, Thread> threads;
  std::map<ConnKey, std::shared_ptr<ServerEnd>> connections;
};

// The client's end.
struct SimNode::Port final : ClientPort {
  Port(SimNode& node, std::shared_ptr<ServerEnd> end) : node(node), end(std::move(end)) {}

  Instant arrival() {
    World& world = node.world_;
    end->last_to_server =
        std::max(end->last_to_server, world.now() + world.long_tailed(end->latency));
    return end->last_to_server;
  }

  void send(std::vector<uint8_t> bytes) override {
    node.world_.at(arrival(), [this_node = &node, end = end, bytes = std::move(bytes)]() mutable {
      if (end->life != this_node->life_ || !this_node->is_up()) return;
      this_node->post_socket(end->worker,
                             [this_node, end, bytes = std::move(bytes)](Now now) mutable {
                               this_node->take_bytes(end, std::move(bytes), now);
                             });
    });
  }

  void close() override {
    end->client = nullptr;
    node.world_.at(arrival(), [this_node = &node, end = end] { this_node->client_closed(end); });
  }

  SimNode& node;
  std::shared_ptr<ServerEnd> end;
};

SimNode::SimNode(World& world, Network& network, SimNodeConfig config)
    : world_(world),
      network_(network),
      config_(std::move(config)),
      clock_offset_(world.between(Duration::seconds(1), Duration::seconds(100'000))),
      wall_skew_ms_(static_cast<int64_t>(world.random().below(2000)) - 1000) {}

SimNode::~SimNode() = default;

Now SimNode::now() const {
  const Instant mono = world_.now() + clock_offset_;
  return {mono, 1'700'000'000'000 + world_.now().ns / 1'000'000 + wall_skew_ms_};
}

Hub& SimNode::hub() { return *process_->hub; }

Broker& SimNode::broker(int worker) { return *process_->brokers[static_cast<size_t>(worker)]; }

bool SimNode::is_ready() { return is_up() && !frozen_ && hub().status(now()).ready; }

void SimNode::note(const std::string& line) {
  world_.note("n" + std::to_string(config_.number) + ": " + line);
}

// ---- life and death -----------------------------------------------------------------------------

void SimNode::boot() {
  SHOAL_ASSERT(!is_up());
  ++life_;
  frozen_ = false;
  if (!disk_) {
    disk_.emplace();
    disk_->id = NodeId{world_.random().next() | 1};
  }
  ++disk_->incarnation;
  process_ = std::make_unique<Process>();

  HubConfig hub_config;
  hub_config.limits = config_.limits;
  hub_config.node_name = "n" + std::to_string(config_.number);
  hub_config.advertise = config_.address;
  hub_config.join = config_.join;
  hub_config.expect = config_.expect;
  hub_config.workers = config_.workers;
  process_->hub = std::make_unique<Hub>(hub_config, *disk_, world_.random().next());

  for (int worker = 0; worker < config_.workers; ++worker) {
    BrokerConfig broker_config;
    broker_config.limits = config_.limits;
    broker_config.worker = static_cast<WorkerIndex>(worker);
    broker_config.node = disk_->id;
    process_->brokers.push_back(std::make_unique<Broker>(broker_config, world_.random().next()));
  }
  world_.note("n" + std::to_string(config_.number) + " boots at " + config_.address);
  network_.attach(config_.number, config_.address, *this);
  post(kHubThread, [this](Now now) { hub().on_start(now); });
  tick_hub(life_);
  for (int worker = 0; worker < config_.workers; ++worker) tick_worker(worker, life_);
}

void SimNode::crash() {
  world_.note("n" + std::to_string(config_.number) + " crashes");
  ++life_;
  frozen_ = false;
  network_.detach(config_.number);
  const std::unique_ptr<Process> dead = std::move(process_);
  for (const auto& [key, end] : dead->connections) {
    end->closed = true;
    SimClient* const client = end->client;
    if (client == nullptr) continue;
    const uint64_t connection = end->connection;
    const Instant reset = world_.now() + world_.long_tailed(Duration{150'000});
    world_.at(std::max(reset, end->last_to_client),
              [client, connection] { client->on_closed(connection); });
  }
}

void SimNode::unfreeze() {
  frozen_ = false;
  if (!is_up()) return;
  for (auto& [index, thread] : process_->threads) {
    if (!std::exchange(thread.due, false)) continue;
    thread.scheduled = false;
    schedule(index);
  }
}

// ---- threads --------------------------------------------------------------------------------------

void SimNode::post(int thread, Task task) {
  process_->threads[thread].inbox.push_back(std::move(task));
  schedule(thread);
}

void SimNode::post_socket(int worker, Task task) {
  process_->threads[worker].sockets.push_back(std::move(task));
  schedule(worker);
}

void SimNode::schedule(int index) {
  Process::Thread& thread = process_->threads[index];
  if (thread.scheduled || thread.empty()) return;
  thread.scheduled = true;
  // At times one thread alone has much to do, or is not run by the system.
  const bool is_late = world_.random().one_in(400);
  const Duration delay = is_late ? world_.between(Duration::millis(5), Duration::millis(80))
                                 : world_.long_tailed(Duration{30'000});
  world_.after(delay, [this, index, life = life_] {
    if (life != life_ || !is_up()) return;
    if (frozen_) {
      process_->threads[index].due = true;
      return;
    }
    run(index);
  });
}

void SimNode::run(int index) {
  Process::Thread& thread = process_->threads[index];
  thread.scheduled = false;
  const uint64_t events_max = 1 + world_.random().below(32);
  for (uint64_t i = 0; i < events_max && !thread.empty(); ++i) {
    const bool is_socket =
        thread.inbox.empty() || (!thread.sockets.empty() && world_.random().one_in(2));
    std::deque<Task>& from = is_socket ? thread.sockets : thread.inbox;
    const Task task = std::move(from.front());
    from.pop_front();
    task(now());
  }
  if (index == kHubThread) {
    carry_hub();
  } else {
    carry_worker(index);
  }
  schedule(index);
}

void SimNode::tick_hub(uint64_t life) {
  if (life != life_) return;
  post(kHubThread, [this](Now now) {
    hub().on_tick(now);
    hub().check_invariants();
  });
  world_.after(Hub::kTick, [this, life] { tick_hub(life); });
}

void SimNode::tick_worker(int worker, uint64_t life) {
  if (life != life_) return;
  post(worker, [this, worker](Now now) {
    broker(worker).on_tick(now);
    broker(worker).check_invariants();
  });
  world_.after(Broker::kTick, [this, worker, life] { tick_worker(worker, life); });
}

// ---- the hub's effects ------------------------------------------------------------------------------

void SimNode::carry_hub() {
  HubEffects& effects = hub().effects();
  for (auto& dial : effects.dials) {
    note("dials " + dial.address + " (" + name_of(dial.link) + ")");
    network_.dial(config_.number, dial.link, dial.address);
  }
  for (auto& send : effects.sends) {
    network_.send(config_.number, send.link, send.lane, std::move(send.frame));
  }
  for (auto& close : effects.closes) {
    note("closes " + name_of(close.link) + ": " + close.why);
    network_.close(config_.number, close.link);
  }
  for (const HubEffects::Mail& mail : effects.mails) {
    for (int worker = 0; worker < config_.workers; ++worker) {
      if ((mail.workers >> worker & 1) == 0) continue;
      post(worker, [this, worker, copy = mail.mail](Now now) mutable {
        broker(worker).on_mail(std::move(copy), now);
      });
    }
  }
  for (const HubEffects::Log& log : effects.logs) {
    note(log.line);
  }
  for (auto& store_effect : effects.stores) store(store_effect.token, store_effect.state);
  effects.clear();
}

// A write and its fsync; a crash before it is done leaves the old state.
void SimNode::store(uint64_t token, const StoredState& state) {
  world_.after(world_.long_tailed(Duration::millis(1)), [this, token, state, life = life_] {
    if (life != life_ || !is_up()) return;
    disk_ = state;
    post(kHubThread, [this, token](Now now) { hub().on_stored(token, now); });
  });
}

void SimNode::link_up(LinkId link, bool dialled, const std::string& address) {
  note(name_of(link) + " is up with " + address);
  post(kHubThread,
       [this, link, dialled, address](Now now) { hub().on_link_up(link, dialled, address, now); });
}

void SimNode::link_down(LinkId link, const std::string& why) {
  note(name_of(link) + " is down: " + why);
  post(kHubThread, [this, link, why](Now now) { hub().on_link_down(link, why, now); });
}

void SimNode::frame(LinkId link, Lane lane, FrameRef frame) {
  post(kHubThread, [this, link, lane, frame = std::move(frame)](Now now) {
    hub().on_frame(link, lane, *frame, now);
  });
}

// ---- a worker's effects -----------------------------------------------------------------------------

void SimNode::carry_worker(int worker) {
  Effects& effects = broker(worker).end_turn(now());
  for (ToHub& mail : effects.to_hub) {
    post(kHubThread, [this, worker, mail = std::move(mail)](Now now) mutable {
      hub().on_worker(static_cast<WorkerIndex>(worker), std::move(mail), now);
    });
  }
  for (Effects::WorkerMail& mail : effects.to_workers) {
    post(mail.worker, [this, to = mail.worker, mail = std::move(mail.mail)](Now now) mutable {
      broker(to).on_mail(std::move(mail), now);
    });
  }
  for (CredentialCheck& check : effects.credential_checks) {
    post(worker, [this, worker, conn = check.conn](Now now) {
      broker(worker).on_credentials(conn, CredentialAnswer{}, now);
    });
  }
  for (const ConnId conn : effects.pause_reading) {
    if (const auto end = end_of(worker, conn)) end->paused = true;
  }
  for (const ConnId conn : effects.resume_reading) {
    if (const auto end = end_of(worker, conn)) {
      end->paused = false;
      post_socket(worker, [this, end](Now now) { take_bytes(end, {}, now); });
    }
  }
  for (Effects::Handover& handover : effects.handovers) carry_handover(worker, handover);
  for (const ConnId conn : effects.dirty) {
    if (const auto end = end_of(worker, conn)) pump(end);
  }
  for (const Effects::Close& close : effects.closes) {
    const auto end = end_of(worker, close.conn);
    if (end == nullptr) continue;
    end->closing = true;
    if (!close.after_flush) broker(worker).output(close.conn).clear();
    pump(end);
  }
}

void SimNode::carry_handover(int worker, Effects::Handover& handover) {
  const auto end = end_of(worker, handover.conn);
  if (end == nullptr) return;
  process_->connections.erase({worker, packed(handover.conn)});
  end->accepted = false;
  end->worker = handover.worker;
  post_socket(handover.worker, [this, end, arrival = std::move(handover.arrival),
                                bytes = std::move(handover.bytes)](Now now) mutable {
    if (end->closed) return;
    end->conn = broker(end->worker).on_accept(std::move(arrival), now);
    end->accepted = true;
    end->paused = false;
    process_->connections[{end->worker, packed(end->conn)}] = end;
    bytes.insert(bytes.end(), end->unread.begin(), end->unread.end());
    end->unread.clear();
    take_bytes(end, std::move(bytes), now);
  });
}

// ---- clients ----------------------------------------------------------------------------------------

std::unique_ptr<ClientPort> SimNode::dial(SimClient& client, uint64_t connection) {
  auto end = std::make_shared<ServerEnd>();
  end->client = &client;
  end->connection = connection;
  end->life = life_;
  end->worker = static_cast<int>(world_.random().below(static_cast<uint64_t>(config_.workers)));
  // Some come by radio: what was sent to them is long on its way, and lost when they break.
  end->latency = world_.random().one_in(3)
                     ? world_.between(Duration::millis(2), Duration::millis(15))
                     : Duration{150'000};
  auto port = std::make_unique<Port>(*this, end);
  world_.at(port->arrival(), [this, end] {
    if (end->life != life_ || !is_up()) {
      if (end->client != nullptr) end->client->on_closed(end->connection);
      return;
    }
    post_socket(end->worker, [this, end](Now now) { accept(end, now); });
  });
  return port;
}

void SimNode::accept(std::shared_ptr<ServerEnd> end, Now now) {
  if (end->closed) return;
  Arrival arrival;
  arrival.address = "device";
  end->conn = broker(end->worker).on_accept(std::move(arrival), now);
  end->accepted = true;
  process_->connections[{end->worker, packed(end->conn)}] = end;
}

void SimNode::take_bytes(const std::shared_ptr<ServerEnd>& end, std::vector<uint8_t> bytes,
                         Now now) {
  end->unread.insert(end->unread.end(), bytes.begin(), bytes.end());
  if (end->closed || end->closing || end->paused || !end->accepted || end->unread.empty()) return;
  // At times the bytes come cut in the middle of a packet.
  std::vector<uint8_t> whole = std::exchange(end->unread, {});
  size_t cut = whole.size();
  if (world_.random().one_in(8)) cut = world_.random().below(whole.size()) + 1;
  const std::span<const uint8_t> all(whole);
  broker(end->worker).on_bytes(end->conn, all.first(cut), now);
  if (cut < whole.size()) broker(end->worker).on_bytes(end->conn, all.subspan(cut), now);
}

void SimNode::client_closed(const std::shared_ptr<ServerEnd>& end) {
  if (end->life != life_ || !is_up()) return;
  post_socket(end->worker, [this, end](Now) {
    end->closed = true;
    if (end->accepted) finish_close(end);
  });
}

void SimNode::break_some_client() {
  if (!is_up() || process_->connections.empty()) return;
  auto some = process_->connections.begin();
  std::advance(some,
               static_cast<std::ptrdiff_t>(world_.random().below(process_->connections.size())));
  const std::shared_ptr<ServerEnd> end = some->second;
  SimClient* const client = std::exchange(end->client, nullptr);
  if (client == nullptr) return;
  client->on_closed(end->connection);
  // The node often does not hear of it: nothing comes any more, and what it sends is lost.
  if (world_.random().one_in(2)) client_closed(end);
}

std::shared_ptr<SimNode::ServerEnd> SimNode::end_of(int worker, ConnId conn) {
  const auto found = process_->connections.find({worker, packed(conn)});
  return found == process_->connections.end() ? nullptr : found->second;
}

// Writes what the client's socket takes: mostly all, at times a part and the rest a little later.
void SimNode::pump(const std::shared_ptr<ServerEnd>& end) {
  if (end->pumping || end->closed) return;
  if (frozen_) return pump_later(end);
  Output& output = broker(end->worker).output(end->conn);
  std::vector<uint8_t> bytes;
  std::span<const uint8_t> pieces[16];
  const size_t filled = output.gather(pieces);
  for (size_t i = 0; i < filled; ++i) bytes.insert(bytes.end(), pieces[i].begin(), pieces[i].end());
  if (bytes.size() > 1 && world_.random().one_in(10)) {
    bytes.resize(1 + world_.random().below(bytes.size() - 1));
  }
  if (const size_t room = room_of(*end); bytes.size() > room) bytes.resize(room);
  const bool wanted_room = output.wants_room();
  output.consume(bytes.size());
  if (SimClient* const client = end->client; client != nullptr && !bytes.empty()) {
    end->last_to_client =
        std::max(end->last_to_client, world_.now() + world_.long_tailed(end->latency));
    end->on_way += bytes.size();
    world_.at(end->last_to_client, [end, bytes = std::move(bytes)] {
      end->on_way -= bytes.size();
      if (end->client != nullptr) end->client->on_bytes(end->connection, bytes);
    });
  }
  if (wanted_room && output.bytes() <= config_.limits.output_bytes_low) {
    post_socket(end->worker, [this, end](Now now) {
      if (!end->closed) broker(end->worker).on_written(end->conn, now);
    });
  }
  if (output.empty()) {
    if (end->closing) finish_close(end);
    return;
  }
  pump_later(end);
}

// What the client's socket takes.
size_t SimNode::room_of(const ServerEnd& end) {
  if (end.client == nullptr) return SIZE_MAX;
  const size_t room = end.client->room();
  return room == SIZE_MAX ? room : room - std::min(room, end.on_way);
}

void SimNode::pump_later(const std::shared_ptr<ServerEnd>& end) {
  end->pumping = true;
  const Duration patience = room_of(*end) == 0 ? Duration::millis(30) : Duration::millis(2);
  world_.after(world_.between(Duration{50'000}, patience), [this, end] {
    end->pumping = false;
    if (end->life == life_ && is_up() && !end->closed) pump(end);
  });
}

void SimNode::finish_close(const std::shared_ptr<ServerEnd>& end) {
  const auto key = std::pair(end->worker, packed(end->conn));
  if (process_->connections.erase(key) == 0) return;
  end->closed = true;
  const Instant last = std::max(end->last_to_client, world_.now());
  world_.at(last + Duration{1000}, [end] {
    if (SimClient* const client = std::exchange(end->client, nullptr)) {
      client->on_closed(end->connection);
    }
  });
  post_socket(end->worker, [this, end](Now now) { broker(end->worker).on_closed(end->conn, now); });
}

}  // namespace shoal::sim
