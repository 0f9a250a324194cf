#include "cluster/core/hub.h"

#include <utility>

#include "cluster/core/hub_core.h"

namespace shoal {

Hub::Hub(HubConfig config, StoredState stored, uint64_t seed)
    : core_(std::make_unique<HubCore>(std::move(config), std::move(stored), seed)) {}
Hub::~Hub() = default;

void Hub::on_start(Now now) { core_->on_start(now); }
void Hub::on_tick(Now now) { core_->on_tick(now); }
void Hub::on_worker(WorkerIndex from, ToHub&& mail, Now now) {
  core_->on_worker(from, std::move(mail), now);
}
void Hub::on_link_up(LinkId link, bool dialled_by_us, std::string address, Now now) {
  core_->on_link_up(link, dialled_by_us, std::move(address), now);
}
void Hub::on_link_down(LinkId link, std::string why, Now now) {
  core_->on_link_down(link, why, now);
}
void Hub::on_frame(LinkId link, Lane lane, std::span<const uint8_t> frame, Now now) {
  core_->on_frame(link, lane, frame, now);
}
void Hub::on_stored(uint64_t token, Now now) { core_->on_stored(token, now); }
void Hub::on_store_open(std::vector<StoredReplica> replicas, StoredRetained retained,
                        raft::LogReader& log, Now now) {
  core_->on_store_open(std::move(replicas), std::move(retained), log, now);
}
void Hub::on_retained_written(uint64_t number, Now now) { core_->on_retained_written(number, now); }
void Hub::on_host(uint32_t shard, replica::HostEffects&& effects, Now now) {
  core_->on_host(shard, std::move(effects), now);
}
void Hub::on_persisted(raft::GroupId group, uint64_t number, Now now) {
  core_->on_persisted(group, number, now);
}
void Hub::on_flushed(uint32_t shard, uint64_t index, Now now) {
  core_->on_flushed(shard, index, now);
}
replica::StoreEffects* Hub::end_turn(Now now) { return core_->end_turn(now); }
void Hub::on_command(uint64_t token, const HubCommand& command, Now now) {
  core_->on_command(token, command, now);
}
void Hub::on_figures(const OwnFigures& figures) { core_->on_figures(figures); }
HubEffects& Hub::effects() { return core_->effects(); }
HubStatus Hub::status(Now now) const { return core_->status(now); }
std::optional<BackupStatus> Hub::backup() const { return core_->backup(); }
RetainedTree::Portion Hub::retained(std::string_view filter, std::string_view after, Now now) {
  return core_->retained().match(filter, after, now);
}
void Hub::check_invariants() const { core_->check_invariants(); }
uint64_t Hub::retained_digest() const { return core_->retained().tree().digest(); }
uint64_t Hub::routes_digest() const { return core_->routes().digest_of_all(); }

}  // namespace shoal
