// PeerTransport over gRPC's callback interface: one server, and two channels for each dialled link.
//
// A link's channels are made for one attempt and share nothing (a local subchannel pool), so that
// gRPC's own back-off never delays the next attempt.
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>

#include "cluster/rpc/credentials.h"
#include "cluster/rpc/frames.h"
#include "cluster/rpc/lane_calls.h"
#include "cluster/rpc/name_resolver.h"
#include "cluster/rpc/peer_link.h"
#include "cluster/rpc/peer_transport.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

constexpr int kMessageBytesMax = static_cast<int>(kFrameBytesMax + 64 * 1024);
constexpr int kStreamWindowBytes = 4 * 1024 * 1024;
// Strangers whose links never come up: so many at once.
constexpr size_t kOpeningMax = 64;
constexpr size_t kTokenBytesMax = 64;

// What gRPC calls an error is mostly a peer that is away, which the hub reports in its own words.
// Nor may its threads, which outlive main(), call a logger of ours.
void silence_grpc() {
  if (std::getenv("GRPC_VERBOSITY") == nullptr) gpr_set_log_function([](gpr_log_func_args*) {});
}

void keep_alive(grpc::ChannelArguments& args, Lane lane) {
  // Tells of a peer's frozen process or a dead path. A heartbeat of the hub's own watches the
  // broker behind it. The bulk lane's pings stand behind megabytes, so they may take longer.
  const int period_ms = lane == Lane::kBulk ? 5'000 : 1'000;
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, period_ms);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, period_ms);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

grpc::ChannelArguments channel_arguments(Lane lane) {
  grpc::ChannelArguments args;
  keep_alive(args, lane);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // a proxy of the environment is not for peers
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  args.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  args.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  args.SetMaxReceiveMessageSize(kMessageBytesMax);
  args.SetMaxSendMessageSize(kMessageBytesMax);
  return args;
}

// What keeps this process from listening there, as the system says it; empty if nothing does.
std::string obstacle_to_listening_on(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int unresolved =
      ::getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found);
  if (unresolved != 0) return ::gai_strerror(unresolved);
  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool bound =
      fd >= 0 && ::bind(fd, found->ai_addr, found->ai_addrlen) == 0 && ::listen(fd, 1) == 0;
  const std::string obstacle = bound ? "" : std::strerror(errno);
  if (fd >= 0) ::close(fd);
  ::freeaddrinfo(found);
  return obstacle;
}

// Random, so that a stranger cannot join a link that is being opened.
std::string new_token() {
  std::random_device random;
  std::array<char, 33> token{};
  std::snprintf(token.data(), token.size(), "%08x%08x%08x%08x", random(), random(), random(),
                random());
  return token.data();
}

class GrpcTransport final : public PeerTransport,
                            public LinkHost,
                            public rpc::Peer::CallbackService {
 public:
  GrpcTransport(PeerTransportOptions options, std::unique_ptr<PeerCredentials> credentials,
                LinkSink& sink)
      : options_(std::move(options)), credentials_(std::move(credentials)), sink_(sink) {}
  ~GrpcTransport() override;

  absl::Status listen();

  uint16_t port() const override { return static_cast<uint16_t>(port_); }
  void dial(LinkId link, const std::string& address) override;
  void send(LinkId link, shoal::Lane lane, std::span<const uint8_t> frame) override;
  Instant poll(Instant now) override;
  void let_go() override;
  size_t unsent_bytes(LinkId link) const override;
  void close(LinkId link) override;
  absl::Status reload_certificates() override { return credentials_->reload(); }

  grpc::ServerBidiReactor<rpc::Batch, rpc::Batch>* Lane(
      grpc::CallbackServerContext* context) override;

  void on_up(PeerLink& link) override;
  void on_frames(PeerLink& link, shoal::Lane lane, std::string batch) override;
  void on_down(PeerLink& link, const std::string& reason) override;

 private:
  std::shared_ptr<PeerLink> find(LinkId link) const;
  std::shared_ptr<PeerLink> make_link(LinkId id, bool dialed, const std::string& remote);
  void dial_resolved(const std::shared_ptr<PeerLink>& link, const std::string& address);
  std::shared_ptr<PeerLink> accepted_link(const std::string& token, const std::string& remote);
  absl::Status cannot_listen(const std::string& why) const;

  const PeerTransportOptions options_;
  const std::unique_ptr<PeerCredentials> credentials_;
  LinkSink& sink_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;

  mutable std::mutex mutex_;  // of what follows; never held while a link's is taken
  std::condition_variable emptied_;
  bool closing_ = false;
  LinkId last_accepted_ = kAcceptedLink;
  std::map<LinkId, std::shared_ptr<PeerLink>> links_;
  std::map<std::string, std::shared_ptr<PeerLink>> opening_;  // accepted, by token
  // Of dialled links, ended by let_go() alone (dial_lanes() tells why).
  std::map<LinkId, std::array<std::shared_ptr<grpc::Channel>, 2>> channels_;

  std::unique_ptr<NameResolver> resolver_ = std::make_unique<NameResolver>();
};

GrpcTransport::~GrpcTransport() {
  std::vector<std::shared_ptr<PeerLink>> open;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (const auto& [id, link] : links_) open.push_back(link);
  }
  resolver_.reset();
  for (const auto& link : open) link->fail("this node closes");
  open.clear();
  if (server_) server_->Shutdown(std::chrono::system_clock::now());
  std::unique_lock lock(mutex_);
  emptied_.wait(lock, [this] { return links_.empty(); });
}

absl::Status GrpcTransport::listen() {
  // Asked beforehand: gRPC does not tell the reason, and a server of 1.51 that failed to start
  // frees a completion queue twice.
  const std::string obstacle = obstacle_to_listening_on(options_.listen);
  if (!obstacle.empty()) return cannot_listen(obstacle);

  grpc::ServerBuilder builder;
  // gRPC would share the port with another process without a word.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 1'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Or the dialler's pings end its connection with "too many pings".
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 100);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  builder.AddListeningPort(options_.listen, credentials_->server(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  return server_ && port_ != 0 ? absl::OkStatus() : cannot_listen("gRPC's server did not start");
}

absl::Status GrpcTransport::cannot_listen(const std::string& why) const {
  const std::string what = "peer address " + options_.listen + ": " + why;
  return absl::UnavailableError(absl::string_view(what.data(), what.size()));
}

std::shared_ptr<PeerLink> GrpcTransport::find(LinkId link) const {
  const std::lock_guard lock(mutex_);
  const auto found = links_.find(link);
  return found == links_.end() ? nullptr : found->second;
}

// With mutex_ held.
std::shared_ptr<PeerLink> GrpcTransport::make_link(LinkId id, bool dialed,
                                                   const std::string& remote) {
  const Instant open_until = now_for_lanes() + options_.open_timeout;
  auto link = std::make_shared<PeerLink>(id, dialed, remote, open_until, *this);
  SHOAL_ASSERT(links_.emplace(id, link).second);
  return link;
}

void GrpcTransport::dial(LinkId id, const std::string& address) {
  SHOAL_ASSERT(id < kAcceptedLink);
  std::shared_ptr<PeerLink> link;
  {
    const std::lock_guard lock(mutex_);
    link = make_link(id, true, address);
  }
  resolver_->resolve(address, [this, link](absl::StatusOr<std::string> resolved) {
    if (resolved.ok()) return dial_resolved(link, *resolved);
    const absl::string_view why = resolved.status().message();
    link->fail({why.data(), why.size()});
  });
}

void GrpcTransport::dial_resolved(const std::shared_ptr<PeerLink>& link,
                                  const std::string& address) {
  const auto channel_of = [&](shoal::Lane lane) {
    return grpc::CreateCustomChannel(address, credentials_->channel(), channel_arguments(lane));
  };
  const auto channel = channel_of(shoal::Lane::kForward);
  const auto bulk_channel = channel_of(shoal::Lane::kBulk);
  {
    const std::lock_guard lock(mutex_);
    if (closing_ || !links_.contains(link->id())) return;
    channels_.emplace(link->id(), std::array{channel, bulk_channel});
  }
  dial_lanes(link, new_token(), channel, bulk_channel);
}

std::shared_ptr<PeerLink> GrpcTransport::accepted_link(const std::string& token,
                                                       const std::string& remote) {
  const std::lock_guard lock(mutex_);
  if (closing_ || token.empty() || token.size() > kTokenBytesMax) return nullptr;
  if (const auto found = opening_.find(token); found != opening_.end()) return found->second;
  if (opening_.size() >= kOpeningMax) return nullptr;
  return opening_.emplace(token, make_link(++last_accepted_, false, remote)).first->second;
}

grpc::ServerBidiReactor<rpc::Batch, rpc::Batch>* GrpcTransport::Lane(
    grpc::CallbackServerContext* context) {
  const auto value_of = [&](const char* key) -> std::string {
    const auto found = context->client_metadata().find(key);
    if (found == context->client_metadata().end()) return {};
    return {found->second.data(), found->second.size()};
  };
  const std::string lane = value_of(kLaneKey);
  if (lane.size() != 1 || lane[0] < '0' || lane[0] >= '0' + kLaneCount)
    return refuse_lane("which lane?");
  const std::shared_ptr<PeerLink> link = accepted_link(value_of(kLinkKey), context->peer());
  if (!link) return refuse_lane("no link for this lane");
  auto* const reactor = accept_lane(link, static_cast<shoal::Lane>(lane[0] - '0'), *context);
  return reactor != nullptr ? reactor : refuse_lane("this lane is taken");
}

void GrpcTransport::on_up(PeerLink& link) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(opening_, [&](const auto& entry) { return entry.second.get() == &link; });
    if (closing_) return;
  }
  sink_.on_link_up(link.id(), link.dialed(), link.remote());
}

void GrpcTransport::on_frames(PeerLink& link, shoal::Lane lane, std::string batch) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
  }
  sink_.on_frames(link.id(), lane, std::move(batch));
}

void GrpcTransport::on_down(PeerLink& link, const std::string& reason) {
  bool told = link.is_worth_telling();
  {
    const std::lock_guard lock(mutex_);
    told = told && !closing_;
  }
  if (told) sink_.on_link_down(link.id(), reason);
  const std::lock_guard lock(mutex_);
  std::erase_if(opening_, [&](const auto& entry) { return entry.second.get() == &link; });
  links_.erase(link.id());
  if (links_.empty()) emptied_.notify_all();
}

void GrpcTransport::send(LinkId link, shoal::Lane lane, std::span<const uint8_t> frame) {
  if (const auto found = find(link)) found->send(lane, frame);
}

Instant GrpcTransport::poll(Instant now) {
  std::vector<std::shared_ptr<PeerLink>> links;
  {
    const std::lock_guard lock(mutex_);
    links.reserve(links_.size());
    for (const auto& [id, link] : links_) links.push_back(link);
  }
  Instant next = Instant::never();
  for (const auto& link : links) next = std::min(next, link->poll(now));
  return next;
}

void GrpcTransport::let_go() {
  std::vector<decltype(channels_)::node_type> unused;  // ended without the mutex
  const std::lock_guard lock(mutex_);
  for (auto each = channels_.begin(); each != channels_.end();) {
    const auto next = std::next(each);
    if (!links_.contains(each->first)) unused.push_back(channels_.extract(each));
    each = next;
  }
}

size_t GrpcTransport::unsent_bytes(LinkId link) const {
  const auto found = find(link);
  return found ? found->unsent_bytes() : 0;
}

void GrpcTransport::close(LinkId link) {
  if (const auto found = find(link)) found->close();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PeerTransport>> PeerTransport::start(
    const PeerTransportOptions& options, LinkSink& sink) {
  silence_grpc();
  std::unique_ptr<PeerCredentials> credentials = insecure_peer_credentials();
  if (!options.insecure) {
    auto loaded = tls_peer_credentials(options.certificates);
    if (!loaded.ok()) return loaded.status();
    credentials = *std::move(loaded);
  }
  auto transport = std::make_unique<GrpcTransport>(options, std::move(credentials), sink);
  const absl::Status listening = transport->listen();
  if (!listening.ok()) return listening;
  return std::unique_ptr<PeerTransport>(std::move(transport));
}

}  // namespace shoal
