#include "node/serve/running_node.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <random>
#include <thread>
#include <utility>

#include "cluster/engine/store_engine.h"
#include "node/cli/version.h"
#include "node/runtime/clock.h"
#include "node/serve/hub_store_sink.h"
#include "node/serve/process_memory.h"
#include "node/serve/state_file.h"

namespace shoal {
namespace {

// A second longer than a connection that a client does not close may take (worker_sockets.cc).
constexpr auto kShutDownTime = std::chrono::seconds(5);
// Longer than the hub's own patience; it may be busy.
constexpr auto kHubTime = std::chrono::milliseconds(1200);

uint64_t random_number() {
  std::random_device random;
  return uint64_t{random()} << 32 | random();
}

std::vector<uint32_t> connection_limits(const ServeConfig& config) {
  std::vector<uint32_t> limits;
  for (const ListenerConfig& listener : config.listeners) {
    limits.push_back(listener.max_connections);
  }
  return limits;
}

HubConfig hub_config_of(const ServeConfig& config) {
  HubConfig hub;
  hub.limits = config.limits;
  hub.node_name = config.node_name;
  hub.advertise = config.peer_advertise.text();
  for (const HostPort& seed : config.join) hub.join.push_back(seed.text());
  hub.expect = static_cast<int>(config.expect.value_or(0));
  hub.workers = static_cast<int>(config.workers);
  hub.software = kVersion;
  hub.zone = config.zone;
  hub.weight = config.weight;
  hub.replace_after = config.replace_after;
  hub.shards = config.shards;
  hub.replicas = config.replicas;
  hub.protocol_max = config.protocol_version;
  return hub;
}

// Verifying passwords must leave cores for the workers.
int credential_threads(const ServeConfig& config) {
  return std::clamp(static_cast<int>(config.workers) / 2, 1, 4);
}

}  // namespace

std::variant<std::unique_ptr<RunningNode>, std::string> RunningNode::start(
    const ServeConfig& config, Log& log) {
  auto files = CredentialFiles::load(config.listeners);
  if (auto* error = std::get_if<std::string>(&files)) return std::move(*error);
  auto data_dir = DataDir::open(config.data_dir);
  if (auto* error = std::get_if<std::string>(&data_dir)) return std::move(*error);

  std::unique_ptr<RunningNode> node(new RunningNode(config, log,
                                                    std::get<DataDir>(std::move(data_dir)),
                                                    std::get<CredentialFiles>(std::move(files))));
  for (const auto step :
       {&RunningNode::listen, &RunningNode::take_up_identity, &RunningNode::start_transport}) {
    if (auto error = (node.get()->*step)()) return *std::move(error);
  }
  node->make_store();
  node->start_workers();
  return node;
}

RunningNode::RunningNode(const ServeConfig& config, Log& log, DataDir data_dir,
                         CredentialFiles files)
    : config_(config),
      log_(log),
      data_dir_(std::move(data_dir)),
      ledger_(static_cast<int>(config.workers), connection_limits(config), config.max_connections),
      loads_(static_cast<int>(config.workers)),
      board_(static_cast<int>(config.workers)),
      arriving_(config.limits.arriving_bytes_max),
      opening_(config.limits.opening_bytes_max()),
      credentials_(
          std::make_unique<FileCredentialDesk>(std::move(files), credential_threads(config))) {}

// Whoever posts to another goes before it; the hub's groups read the store's log as long as they run.
RunningNode::~RunningNode() {
  if (world_) {
    for (const auto& worker : world_->workers) worker->stop();
  }
  credentials_.reset();
  if (hub_) hub_->stop();
  transport_.reset();
  writer_.reset();
  if (store_) store_->stop();
  world_.reset();
  hub_.reset();
}

std::optional<std::string> RunningNode::listen() {
  for (const ListenerConfig& listener : config_.listeners) {
    auto socket = listen_on(listener);
    if (auto* error = std::get_if<std::string>(&socket)) return std::move(*error);
    listening_.push_back(std::get<ListeningSocket>(std::move(socket)));
    transports_.push_back(std::make_unique<ListenerTransports>(listener));
    if (auto error = transports_.back()->load()) return error;
  }
  return std::nullopt;
}

// The incarnation is raised durably before anything is said with it.
std::optional<std::string> RunningNode::take_up_identity() {
  const auto restoring = data_dir_.read(StateWriter::kRestoringFile);
  if (const auto* error = std::get_if<std::string>(&restoring)) return *error;
  if (std::get<std::optional<std::string>>(restoring)) {
    return data_dir_.path() + ": a restore into it was cut short: empty it, and restore again";
  }
  const auto content = data_dir_.read(StateWriter::kFile);
  if (const auto* error = std::get_if<std::string>(&content)) return *error;
  if (const auto& text = std::get<std::optional<std::string>>(content)) {
    if (auto error = check_level(*text)) return error;
    auto state = state_of_text(*text);
    if (!state) return data_dir_.path_of(StateWriter::kFile) + ": is damaged";
    state_ = *std::move(state);
  } else {
    state_.id.value = std::max<uint64_t>(1, random_number());
  }
  ++state_.incarnation;
  return data_dir_.replace(StateWriter::kFile, state_text_of(state_));
}

// What is at a later level may be written so that this node would read it wrong.
std::optional<std::string> RunningNode::check_level(const std::string& text) const {
  const std::optional<uint32_t> level = level_of_text(text);
  const uint32_t max = config_.protocol_version;
  if (!level || *level <= max) return std::nullopt;
  return data_dir_.path() + ": its cluster is at protocol " + std::to_string(*level) +
         ", and this node speaks " + std::to_string(kProtocolMin) + " to " + std::to_string(max) +
         (*level <= kProtocolMax ? " with --protocol-version" : ": it needs a later version");
}

std::optional<std::string> RunningNode::start_transport() {
  writer_ = std::make_unique<StateWriter>(data_dir_, log_,
                                          [this](uint64_t token) { hub_->on_stored(token); });
  hub_ =
      std::make_unique<HubThread>(hub_config_of(config_), state_, random_number(), *writer_, log_);
  PeerTransportOptions options;
  options.listen = config_.peer.text();
  options.certificates = {config_.peer_tls.cert, config_.peer_tls.key, config_.peer_tls.ca};
  options.insecure = !config_.peer_tls.is_set();  // the configuration says where that is allowed
  auto started = PeerTransport::start(options, *hub_);
  if (!started.ok()) {
    const absl::string_view why = started.status().message();
    return std::string(why.data(), why.size());
  }
  transport_ = *std::move(started);
  return std::nullopt;
}

void RunningNode::make_store() {
  store_sink_ = std::make_unique<HubStoreSink>(
      *hub_, [this](const std::string& why) { on_store_failed(why); });
  engine::EngineOptions options;
  options.stores.directory = data_dir_.path();
  options.stores.durability = config_.durability == Durability::kFsync ? storage::Durability::kFsync
                                                                       : storage::Durability::kOs;
  options.stores.seed = random_number();
  options.stores.limits = {.queued_max = config_.limits.queued_max,
                           .queued_bytes_max = config_.limits.queued_bytes_max,
                           .rejects_new = config_.limits.rejects_new,
                           .bodies_bytes_max = config_.limits.durable_bytes_max};
  options.stores.copy_rate = config_.limits.copy_rate;
  options.clock = now;
  store_ = std::make_unique<engine::StoreEngine>(options, *store_sink_);
}

void RunningNode::on_store_failed(const std::string& why) {
  log_(LogLevel::kError, why);
  const std::lock_guard lock(failure_mutex_);
  has_failed_ = true;
  if (told_of_failure_) told_of_failure_();
}

void RunningNode::when_failed(std::function<void()> told) {
  const std::lock_guard lock(failure_mutex_);
  told_of_failure_ = std::move(told);
  if (has_failed_ && told_of_failure_) told_of_failure_();
}

BrokerConfig RunningNode::broker_config() {
  BrokerConfig broker;
  broker.limits = config_.limits;
  broker.node = state_.id;
  broker.arriving = &arriving_;
  broker.opening = &opening_;
  broker.auth_methods = &auth_methods_;
  broker.assign_client_ids = config_.allow_zero_length_client_id;
  broker.response_information = config_.response_information;
  broker.server_reference = config_.server_reference;
  broker.listeners.clear();
  for (const ListenerConfig& listener : config_.listeners) {
    broker.listeners.push_back({listener.max_qos});
  }
  return broker;
}

void RunningNode::start_workers() {
  world_.emplace(WorkerWorld{*hub_, *credentials_, ledger_, loads_, board_, log_, {}, {}});
  BrokerConfig broker = broker_config();
  for (size_t i = 0; i < config_.listeners.size(); ++i) {
    const ListenerConfig& listener = config_.listeners[i];
    const int fd = listening_[i].fd.get();
    // A Unix socket that stopped listening could not begin again.
    const bool is_tcp = listener.type != ListenerType::kUnix;
    world_->listeners.push_back({fd, listener.name, transports_[i]->make(),
                                 is_tcp ? std::make_shared<ListenerGate>(fd) : nullptr,
                                 listener.proxy_protocol, is_tls(listener.type)});
    log_(LogLevel::kInfo, "listening",
         {{"listener", listener.name}, {"address", listening_[i].address}});
  }
  for (uint32_t i = 0; i < config_.workers; ++i) {
    broker.worker = static_cast<WorkerIndex>(i);
    world_->workers.push_back(std::make_unique<Worker>(broker, random_number(), *world_));
  }
  hub_->connect(*transport_, world_->workers, *store_);
  hub_->start();
  for (const auto& worker : world_->workers) worker->start();
}

void RunningNode::reload() {
  reload_credentials();
  reload_certificates();
}

void RunningNode::reload_credentials() {
  auto files = CredentialFiles::load(config_.listeners);
  if (const auto* error = std::get_if<std::string>(&files)) {
    log_(LogLevel::kError, "users and rights stay as they were", {{"error", *error}});
    return;
  }
  credentials_->replace(std::get<CredentialFiles>(std::move(files)));
  const auto fresh = credentials_->files();
  for (const auto& worker : world_->workers) {
    worker->post(WorkerTask([fresh](Worker& self) {
      apply_rights(*fresh, self);
      self.rights_renewed();
    }));
  }
}

void RunningNode::reload_certificates() {
  for (const auto& transports : transports_) {
    const auto error = transports->load();
    if (!error) continue;
    log_(LogLevel::kError, "a listener's certificates stay as they were", {{"error", *error}});
  }
  hub_->run_task([this](HubThread& hub) {
    const absl::Status status = hub.transport().reload_certificates();
    const absl::string_view why = status.message();
    if (status.ok()) return;
    log_(LogLevel::kError, "the peers' certificates stay as they were",
         {{"error", std::string_view(why.data(), why.size())}});
  });
}

void RunningNode::tell_figures() {
  const BrokerCounters sum = sum_of(board_.all());
  OwnFigures figures;
  figures.clients = static_cast<uint32_t>(sum.connected_now);
  for (size_t qos = 0; qos < sum.publishes_in.size(); ++qos) {
    figures.messages_in += sum.publishes_in[qos];
    figures.messages_out += sum.publishes_out[qos];
  }
  hub_->run_task([this, figures](HubThread& self) {
    self.hub().on_figures(figures);
    system_topics_.note_clients(figures.clients);
  });
}

void RunningNode::tell_clients() {
  SystemFigures figures;
  figures.broker = sum_of(board_.all());
  figures.uptime = mono_now() - started_at_;
  figures.resident_bytes = resident_bytes();
  hub_->run_task([this, figures](HubThread& self) mutable {
    figures.hub = self.hub().status(now());
    const auto messages =
        std::make_shared<const std::vector<SystemMessage>>(system_topics_.update(figures));
    for (const auto& worker : world_->workers) {
      worker->post(WorkerTask([messages](Worker& to) {
        for (const SystemMessage& message : *messages) {
          to.broker().publish_system(message.topic, message.payload, now());
        }
      }));
    }
  });
}

std::vector<ListenerFigures> RunningNode::listener_figures() const {
  std::vector<ListenerFigures> figures;
  for (size_t i = 0; i < config_.listeners.size(); ++i) {
    figures.push_back({config_.listeners[i].name, ledger_.on_listener(static_cast<uint16_t>(i))});
  }
  return figures;
}

bool RunningNode::has_work_left() const {
  if (ledger_.total() != 0) return true;
  const auto reports = board_.all();
  return std::any_of(reports.begin(), reports.end(),
                     [](const WorkerReport& report) { return report.broker.tickets_now != 0; });
}

void RunningNode::tell_hub(HubCommand command) {
  const auto told = std::make_shared<std::promise<void>>();
  hub_->command(std::move(command), [told](const HubEffects::Answer&) { told->set_value(); });
  told->get_future().wait_for(kHubTime);
}

// Others lead what this node led before its clients come to them; and once it has none, they need not
// wait until they miss it.
void RunningNode::shut_down() {
  tell_hub(HandOverCommand{});
  for (const auto& worker : world_->workers) {
    worker->post(WorkerTask([](Worker& self) {
      self.stop_accepting();
      self.broker().shut_down(now());
    }));
  }
  const auto give_up = std::chrono::steady_clock::now() + kShutDownTime;
  while (has_work_left() && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  tell_hub(GoodbyeCommand{});
}

}  // namespace shoal
