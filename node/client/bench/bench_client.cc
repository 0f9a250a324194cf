#include "node/client/bench/bench_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace shoal::bench {

Instant clock_now() {
  return {std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1)};
}

BenchClient::BenchClient(BenchEvents& events, uint32_t index, std::string client_id,
                         const BenchOptions& options)
    : events_(events), index_(index), client_id_(std::move(client_id)), options_(options) {}

BenchClient::~BenchClient() { close(); }

bool BenchClient::open(const Endpoint& endpoint, ssl_ctx_st* tls, int epoll) {
  dialled_ = clock_now();
  const auto* const address = reinterpret_cast<const sockaddr*>(&endpoint.address);
  socket_ = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket_ < 0 || (connect(socket_, address, endpoint.size) != 0 && errno != EINPROGRESS)) {
    close();
    return false;
  }
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_ = epoll;
  epoll_event event{EPOLLIN | EPOLLOUT, {.ptr = this}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, socket_, &event);
  watching_writable_ = true;
  state_ = State::kTcp;
  if (tls != nullptr) {
    tls_ = SSL_new(tls);
    SSL_set_fd(tls_, socket_);
    SSL_set_connect_state(tls_);
  }
  return true;
}

void BenchClient::close() {
  if (tls_ != nullptr) SSL_free(tls_);
  tls_ = nullptr;
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
  state_ = State::kClosed;
  partial_.clear();
  outgoing_.clear();
  sent_ = 0;
  open_.clear();
}

void BenchClient::disconnect() {
  if (is_connected()) {
    send(Disconnect{});
    flush();
  }
  close();
}

void BenchClient::lose(const std::string& why) {
  close();
  events_.on_lost(*this, why);
}

void BenchClient::watch(bool writable) {
  if (writable == watching_writable_) return;
  watching_writable_ = writable;
  epoll_event event{writable ? EPOLLIN | EPOLLOUT : EPOLLIN, {.ptr = this}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, socket_, &event);
}

// ---- connecting ---------------------------------------------------------------------------------

void BenchClient::send_connect() {
  Connect connect;
  connect.version = options_.version;
  connect.client_id = client_id_;
  connect.clean_start = !options_.durable;
  if (options_.durable && options_.version == ProtocolVersion::kMqtt5) {
    connect.session_expiry_s = 3600;
  }
  if (!options_.user.empty()) connect.user_name = options_.user;
  if (!options_.password.empty()) {
    connect.password = ByteView(reinterpret_cast<const uint8_t*>(options_.password.data()),
                                options_.password.size());
  }
  send(connect);
  state_ = State::kMqtt;
}

// True once the way is free for MQTT.
bool BenchClient::shake_hands() {
  if (state_ == State::kTcp) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      lose(std::strerror(error));
      return false;
    }
    state_ = tls_ != nullptr ? State::kTls : State::kMqtt;
    if (tls_ == nullptr) send_connect();
  }
  if (state_ != State::kTls) return true;
  const int done = SSL_do_handshake(tls_);
  if (done == 1) {
    send_connect();
    return true;
  }
  const int error = SSL_get_error(tls_, done);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
    lose("TLS failed");
    return false;
  }
  watch(error == SSL_ERROR_WANT_WRITE);
  return false;
}

// ---- receiving ----------------------------------------------------------------------------------

void BenchClient::on_ready(uint32_t epoll_events, std::span<uint8_t> buffer) {
  if (!is_open()) return;
  if ((state_ == State::kTcp || state_ == State::kTls) && !shake_hands()) return;
  if ((epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read(buffer);
  if (is_open()) flush();
}

std::ptrdiff_t BenchClient::receive(std::span<uint8_t> buffer) {
  if (tls_ == nullptr) return recv(socket_, buffer.data(), buffer.size(), 0);
  const int size = SSL_read(tls_, buffer.data(), static_cast<int>(buffer.size()));
  if (size > 0) return size;
  errno = SSL_get_error(tls_, size) == SSL_ERROR_WANT_READ ? EAGAIN : ECONNRESET;
  return -1;
}

void BenchClient::read(std::span<uint8_t> buffer) {
  do {
    const std::ptrdiff_t size = receive(buffer);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return lose("the broker closed the connection");
    take_bytes(buffer.first(static_cast<size_t>(size)));
    // What TLS has decrypted already does not show in epoll.
  } while (is_open() && tls_ != nullptr && SSL_pending(tls_) > 0);
}

void BenchClient::take_bytes(std::span<const uint8_t> bytes) {
  const bool whole = partial_.empty();
  if (!whole) partial_.insert(partial_.end(), bytes.begin(), bytes.end());
  const std::vector<uint8_t> joined = whole ? std::vector<uint8_t>{} : std::move(partial_);
  std::span<const uint8_t> rest = whole ? bytes : std::span<const uint8_t>(joined);
  partial_.clear();
  while (!rest.empty()) {
    Frame frame;
    const FrameStatus status = next_frame(rest, kPacketSizeMax, frame);
    if (status == FrameStatus::kNeedMore) break;
    if (status != FrameStatus::kComplete) return lose("the broker sent what is not MQTT");
    rest = rest.subspan(frame.size);
    if (!take(decode_packet(frame, options_.version, Sender::kServer))) return;
  }
  partial_.assign(rest.begin(), rest.end());
}

// False when the connection is gone.
bool BenchClient::take(const Decoded& packet) {
  if (const auto* const publish = std::get_if<Publish>(&packet)) {
    events_.on_message(*this, *publish);
    if (!is_open() || publish->qos == Qos::k0) return is_open();
    Ack ack;
    ack.type = publish->qos == Qos::k1 ? PacketType::kPubAck : PacketType::kPubRec;
    ack.packet_id = publish->packet_id;
    send(ack);
  } else if (const auto* const ack = std::get_if<Ack>(&packet)) {
    take_ack(*ack);
  } else if (const auto* const connack = std::get_if<ConnAck>(&packet)) {
    if (connack->reason != ReasonCode::kSuccess) {
      lose("the broker refused: " + std::string(name_of(connack->reason)));
      return false;
    }
    state_ = State::kConnected;
    events_.on_connected(*this);
  } else if (std::holds_alternative<SubAck>(packet)) {
    events_.on_subscribed(*this);
  } else if (const auto* const disconnect = std::get_if<Disconnect>(&packet)) {
    lose("the broker disconnected: " + std::string(name_of(disconnect->reason)));
  } else if (std::holds_alternative<Malformed>(packet)) {
    lose("the broker sent a malformed packet");
  }
  return is_open();
}

void BenchClient::take_ack(const Ack& ack) {
  if (ack.type == PacketType::kPubAck || ack.type == PacketType::kPubComp) {
    return finish(ack.packet_id);
  }
  Ack answer;
  answer.type = ack.type == PacketType::kPubRec ? PacketType::kPubRel : PacketType::kPubComp;
  answer.packet_id = ack.packet_id;
  send(answer);
}

// Mostly they come in the order of the publishes.
void BenchClient::finish(uint16_t packet_id) {
  const auto found = std::find_if(open_.begin(), open_.end(), [packet_id](const Open& each) {
    return each.packet_id == packet_id;
  });
  if (found == open_.end()) return lose("the broker acknowledged what was not published");
  const Instant due = found->due;
  open_.erase(found);
  events_.on_published(*this, due);
}

// ---- sending ------------------------------------------------------------------------------------

void BenchClient::subscribe(const std::string& filter) {
  std::vector<uint8_t> list;
  SubscriptionRequest request;
  request.filter = filter;
  request.qos = options_.qos;
  append_subscription(request, list);
  Subscribe packet;
  packet.packet_id = ++subscribe_id_;
  packet.subscriptions = SubscriptionList::of_valid(list);
  send(packet);
}

void BenchClient::add_topic(std::string_view topic) {
  PublishHeader header;
  header.qos = options_.qos;
  header.packet_id = options_.qos == Qos::k0 ? 0 : 1;
  header.topic = topic;
  header.payload_size = options_.payload_bytes;
  Template& made = templates_.emplace_back();
  made.bytes.assign(encoded_size(header, options_.version) + options_.payload_bytes, 0x2E);
  made.patch = encode(header, options_.version, made.bytes.data());
}

void BenchClient::publish(std::span<const uint8_t, kPayloadMin> head, Instant due) {
  Template& next = templates_[next_template_];
  if (++next_template_ == templates_.size()) next_template_ = 0;
  if (options_.qos != Qos::k0) {
    next_id_ = next_id_ == UINT16_MAX ? 1 : static_cast<uint16_t>(next_id_ + 1);
    patch_packet_id(next.bytes.data(), next.patch, next_id_);
    open_.push_back({next_id_, due});
  }
  std::memcpy(next.bytes.data() + next.patch.size, head.data(), head.size());
  outgoing_.insert(outgoing_.end(), next.bytes.begin(), next.bytes.end());
}

std::ptrdiff_t BenchClient::transmit(const uint8_t* data, size_t size) {
  if (tls_ == nullptr) return ::send(socket_, data, size, MSG_NOSIGNAL);
  const int sent = SSL_write(tls_, data, static_cast<int>(std::min<size_t>(size, INT32_MAX)));
  if (sent > 0) return sent;
  const int error = SSL_get_error(tls_, sent);
  errno = error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? EAGAIN : ECONNRESET;
  return -1;
}

bool BenchClient::flush() {
  while (sent_ < outgoing_.size()) {
    const std::ptrdiff_t sent = transmit(outgoing_.data() + sent_, outgoing_.size() - sent_);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      watch(true);
      return true;
    }
    if (sent <= 0) {
      lose("the connection broke");
      return false;
    }
    sent_ += static_cast<size_t>(sent);
  }
  outgoing_.clear();
  sent_ = 0;
  if (state_ != State::kTcp && state_ != State::kTls) watch(false);
  return true;
}

}  // namespace shoal::bench
