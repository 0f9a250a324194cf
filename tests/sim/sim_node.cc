#include "tests/sim/sim_node.h"

#include <algorithm>

#include "shoal/assert.h"
#include "tests/sim/sim_node_parts.h"

namespace shoal::sim {
namespace {

std::string name_of(LinkId link) {
  return link < kAcceptedLink ? "link " + std::to_string(link)
                              : "link a" + std::to_string(link - kAcceptedLink);
}

}  // namespace

SimNode::SimNode(World& world, Network& network, SimNodeConfig config)
    : world_(world),
      network_(network),
      config_(std::move(config)),
      clock_offset_(world.between(Duration::seconds(1), Duration::seconds(100'000))),
      wall_skew_ms_(static_cast<int64_t>(world.random().below(2000)) - 1000),
      store_(world),
      speaks_(config_.protocol_max) {}

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
  frozen_ = ending_ = false;
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
  hub_config.shards = config_.shards;
  hub_config.weight = config_.weight;
  hub_config.zone = config_.zone;
  hub_config.replace_after = config_.replace_after;
  hub_config.protocol_max = speaks_ = config_.protocol_max;
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
  if (store_.is_open()) store_.crash();
  retained_disk_.crash(world_.random().below(retained_disk_.waiting() + 1));
  is_writing_retained_ = false;
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

void SimNode::freeze() {
  frozen_ = true;
  store_.freeze();
}

void SimNode::unfreeze() {
  frozen_ = false;
  if (!is_up()) return;
  store_.unfreeze();
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

void SimNode::post_socket(const std::shared_ptr<ServerEnd>& end, Task task) {
  post_socket(end->worker, [this, end, worker = end->worker, task = std::move(task)](Now now) {
    end->worker == worker ? task(now) : post_socket(end, task);
  });
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
    if (std::exchange(thread.is_to_be_checked, false)) broker(index).check_invariants();
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
    if (config_.moves_clients) offer_publishers(worker);
    process_->threads[worker].is_to_be_checked = true;  // at the end of the turn
  });
  world_.after(Broker::kTick, [this, worker, life] { tick_worker(worker, life); });
}

// ---- the hub's effects ------------------------------------------------------------------------------

void SimNode::carry_hub() {
  if (replica::StoreEffects* const effects = hub().end_turn(now())) {
    store_.carry_out(*effects);
    effects->clear();
  }
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
  if (effects.open_store) open_store(*effects.open_store);
  write_retained(effects.retained_writes);
  for (auto& store_effect : effects.stores) store(store_effect.token, store_effect.state);
  const std::vector<HubEffects::Answer> answers = std::exchange(effects.answers, {});
  effects.clear();
  for (const HubEffects::Answer& answer : answers) on_answer(answer);
}

// A write and its fsync; a crash before it is done leaves the old state. What members speak is not in a
// file of level 1 (state_file.cc).
void SimNode::store(uint64_t token, StoredState state) {
  for (StoredMember& member : state.members) {
    if (state.level < 2) member.speaks = 0;
  }
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
      post_socket(end, [this, end](Now now) { take_bytes(end, {}, now); });
    }
  }
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
  if (!config_.moves_clients) return;
  for (const Effects::Wish& wish : effects.wishes) move(worker, wish);
}

}  // namespace shoal::sim
