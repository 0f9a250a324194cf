#include "node/broker/broker.h"

#include "node/broker/core.h"
#include "node/broker/moved_client.h"

namespace shoal {

Broker::Broker(BrokerConfig config, uint64_t seed)
    : core_(std::make_unique<Core>(std::move(config), seed)) {}
Broker::~Broker() = default;

ConnId Broker::on_accept(Arrival arrival, Now now) {
  return core_->on_accept(std::move(arrival), now);
}
void Broker::on_bytes(ConnId conn, std::span<const uint8_t> bytes, Now now) {
  core_->on_bytes(conn, bytes, now);
}
void Broker::on_closed(ConnId conn, Now now) { core_->on_closed(conn, now); }
void Broker::on_written(ConnId conn, Now now) { core_->on_written(conn, now); }
void Broker::on_credentials(ConnId conn, const CredentialAnswer& answer, Now now) {
  core_->on_credentials(conn, answer, now);
}
void Broker::on_mail(ToWorker&& mail, Now now) { core_->on_mail(std::move(mail), now); }
void Broker::on_tick(Now now) { core_->on_tick(now); }
void Broker::on_more(Now now) { core_->on_more(now); }
Output& Broker::output(ConnId conn) { return core_->output(conn); }
Effects& Broker::end_turn(Now now) { return core_->end_turn(now); }
void Broker::shut_down(Now now) { core_->shut_down(now); }
bool Broker::kick(std::string_view client_id, Now now) { return core_->kick(client_id, now); }
void Broker::publish_system(std::string_view topic, std::string_view payload, Now now) {
  core_->publish_system(topic, payload, now);
}
std::unique_ptr<MovedClient> Broker::move_out(ConnId conn, WorkerIndex to, Now now) {
  return core_->move_out(conn, to, now);
}
ConnId Broker::move_in(std::unique_ptr<MovedClient> moved, Now now) {
  return core_->move_in(std::move(moved), now);
}
void Broker::offer_publishers(WorkerIndex to, uint32_t most) { core_->offer_publishers(to, most); }

const BrokerCounters& Broker::counters() { return core_->counters(); }
void Broker::for_each_session(const std::function<void(const SessionInfo&)>& visit) {
  core_->for_each_session(visit);
}
void Broker::for_each_subscription(std::string_view client_id, const SubscriptionVisit& visit) {
  core_->for_each_subscription(client_id, visit);
}
void Broker::check_invariants() { core_->check_invariants(); }

}  // namespace shoal
