#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <set>
#include <thread>

#include "node/client/tool_session.h"
#include "node/codec/reason_code.h"

namespace shoal {
namespace {

constexpr Duration kForever = Duration::seconds(365LL * 24 * 3600);
constexpr Duration kRetryAfter = Duration::seconds(1);

Instant clock_now() {
  return {std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1)};
}

class Subscriber {
 public:
  explicit Subscriber(const SubOptions& options)
      : options_(options),
        session_(options),
        end_(options.patience ? clock_now() + *options.patience : Instant::never()) {}

  int run() {
    if (auto error = session_.open()) return fail(error->text);
    while (true) {
      if (const auto status = serve()) return *status;
      // A broker may go away for a while, and a balancer may know another.
      do {
        if (is_over()) return timed_out();
        std::this_thread::sleep_for(std::chrono::nanoseconds(kRetryAfter.ns));
      } while (session_.open());
    }
  }

 private:
  bool is_over() const { return clock_now() >= end_; }
  Duration time_left() const {
    return end_ == Instant::never() ? kForever : std::max(Duration{}, end_ - clock_now());
  }

  // Until it is done (the exit status) or the connection is lost (none).
  std::optional<int> serve() {
    received_qos2_.clear();
    if (subscribe()) return std::nullopt;
    while (true) {
      if (options_.count != 0 && printed_ >= options_.count) return leave(0);
      Decoded packet;
      const ClientLink::Received received = session_.receive(time_left(), packet);
      if (received == ClientLink::Received::kTimeout) return leave(timed_out());
      if (received != ClientLink::Received::kPacket || std::holds_alternative<Disconnect>(packet)) {
        fail(ToolSession::text_of(received, packet));
        return std::nullopt;
      }
      if (const auto* const suback = std::get_if<SubAck>(&packet)) {
        if (const auto status = check(*suback)) return leave(*status);
      } else if (const auto* const publish = std::get_if<Publish>(&packet)) {
        if (take(*publish)) return std::nullopt;
      } else if (const auto* const ack = std::get_if<Ack>(&packet)) {
        received_qos2_.erase(ack->packet_id);
        if (session_.send_ack(PacketType::kPubComp, ack->packet_id)) return std::nullopt;
      }
    }
  }

  std::optional<LinkError> subscribe() {
    std::vector<uint8_t> list;
    for (const std::string& filter : options_.filters) {
      SubscriptionRequest request;
      request.filter = filter;
      request.qos = options_.qos;
      append_subscription(request, list);
    }
    Subscribe packet;
    packet.packet_id = 1;
    packet.subscriptions = SubscriptionList::of_valid(list);
    return session_.send(packet);
  }

  std::optional<int> check(const SubAck& suback) {
    size_t refused = 0;
    for (size_t i = 0; i < suback.reasons.size() && i < options_.filters.size(); ++i) {
      if (static_cast<uint8_t>(suback.reasons[i]) < 0x80) continue;
      ++refused;
      fail("the broker refused " + options_.filters[i] + ": " +
           std::string(name_of(suback.reasons[i])));
    }
    return refused == suback.reasons.size() ? std::optional<int>(1) : std::nullopt;
  }

  std::optional<LinkError> take(const Publish& publish) {
    const bool repeated =
        publish.qos == Qos::k2 && !received_qos2_.insert(publish.packet_id).second;
    if (!repeated) print(publish);
    if (publish.qos == Qos::k1) return session_.send_ack(PacketType::kPubAck, publish.packet_id);
    if (publish.qos == Qos::k2) return session_.send_ack(PacketType::kPubRec, publish.packet_id);
    return std::nullopt;
  }

  void print(const Publish& publish) {
    if (options_.verbose) {
      std::fwrite(publish.topic.data(), 1, publish.topic.size(), stdout);
      std::fputc(' ', stdout);
    }
    std::fwrite(publish.payload.data(), 1, publish.payload.size(), stdout);
    std::fputc('\n', stdout);
    std::fflush(stdout);
    ++printed_;
  }

  int leave(int status) {
    session_.close();
    return status;
  }

  // To leave after a time is what was asked for, unless messages were counted on.
  int timed_out() {
    if (options_.count == 0) return 0;
    return fail("timed out after " + std::to_string(printed_) + " messages");
  }

  static int fail(const std::string& text) {
    std::fprintf(stderr, "shoal sub: %s\n", text.c_str());
    return 1;
  }

  const SubOptions& options_;
  ToolSession session_;
  const Instant end_;
  uint64_t printed_ = 0;
  std::set<uint16_t> received_qos2_;
};

}  // namespace

int run_sub(int argc, const char* const* argv) {
  const auto parsed = sub_options_of(argc, argv);
  if (const auto* const usage = std::get_if<ClientUsage>(&parsed)) {
    std::fprintf(usage->status == 0 ? stdout : stderr, "%s%s\n",
                 usage->status == 0 ? "" : "shoal sub: ", usage->text.c_str());
    return usage->status;
  }
  return Subscriber(std::get<SubOptions>(parsed)).run();
}

}  // namespace shoal
