#include "tests/engine/test_clients.h"

#include <charconv>

#include "shoal/byte_view.h"

namespace shoal::engine::test {
namespace {

constexpr const char* kTopic = "t";

}  // namespace

TestClients::TestClients(EngineNode& node) : node_(node) {
  node_.on_mail = [this](FromStore&& mail) { std::visit([this](auto& m) { on(m); }, mail); };
}

bool TestClients::connect(uint32_t expiry_s) {
  SessionConnect connect;
  connect.conn = ConnId{++connections_, 1};
  connect.client_id = kClient;
  connect.claim = {static_cast<uint64_t>(clock_now().wall_ms) + connections_, node_.id()};
  connect.receive_maximum = 100;
  connect.expiry_s = expiry_s;
  epoch_ = 0;
  node_.ask(std::move(connect));
  return node_.run_until([this] { return epoch_ != 0; });
}

bool TestClients::run(uint64_t number) {
  waits_ = number;
  return node_.run_until([this] { return waits_ == 0; });
}

bool TestClients::subscribe() {
  SessionSubscribe subscribe{++last_number_, kClient, epoch_, {}};
  subscribe.filters.push_back({.filter = kTopic, .qos = Qos::k1});
  node_.ask(std::move(subscribe));
  return run(last_number_);
}

bool TestClients::detach() {
  node_.ask(SessionDetach{++last_number_, kClient, epoch_, false, {}});
  return run(last_number_);
}

bool TestClients::publish(uint64_t count, uint64_t depth, const std::string& filler) {
  const uint64_t until = answered_ + count;
  const auto go_on = [&] {
    while (published_ < until && open_.size() < depth) {
      const std::string payload = std::to_string(++published_) + filler;
      MessageView view;
      view.qos = Qos::k1;
      view.topic = kTopic;
      view.payload = bytes_of(payload);
      open_[++last_number_] = published_;
      const uint64_t all = ~uint64_t{0} >> (64 - node_.shards());
      node_.ask(ShardPublish{last_number_, all, {}, Message::create(view)});
    }
    return answered_ >= until;
  };
  return node_.run_until(go_on);
}

bool TestClients::receive(uint64_t last) {
  return node_.run_until([&] { return !received_.empty() && received_.back() >= last; });
}

void TestClients::on(SessionAttached& mail) {
  if (mail.outcome != SessionAttached::Outcome::kAttached) return;
  epoch_ = mail.epoch;
  session_present_ = mail.session_present;
}

void TestClients::on(SessionDone& mail) {
  if (mail.number == waits_) waits_ = 0;
  if (open_.erase(mail.number) == 0) return;
  answered_ = open_.empty() ? published_ : open_.begin()->second - 1;
  on_answered();
}

void TestClients::on(SessionMessages& mail) {
  if (mail.epoch != epoch_) return;
  SessionAck ack{0, kClient, epoch_, {}};
  for (const SessionMessage& each : mail.messages) {
    const auto payload = each.message->payload();
    const auto* const text = reinterpret_cast<const char*>(payload.data());
    uint64_t number = 0;
    std::from_chars(text, text + payload.size(), number);
    received_.push_back(number);
    ack.acks.push_back({each.number, SessionAckKind::kPuback});
  }
  node_.ask(SessionRoom{kClient, epoch_, mail.messages.back().number});
  if (!acknowledges) return;
  ack.number = ++last_number_;
  node_.ask(std::move(ack));
}

}  // namespace shoal::engine::test
