// Founding and joining, giving up and being given up, leaving, and what is stored of it.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include <absl/strings/str_format.h>
#include "cluster/core/hub_core.h"
#include "shoal/assert.h"
#include "shoal/mutation.h"

namespace shoal {

StoredState HubCore::stored_state() const {
  return {context_.self,
          context_.life.incarnation,
          cluster_,
          members_.to_stored(),
          store_founding_,
          is_store_founded_,
          std::max(context_.level, storing_level_)};
}

void HubCore::store(StoredState state, std::function<void()> then) {
  stores_.emplace(++last_store_, std::move(then));
  context_.effects.stores.push_back({last_store_, std::move(state)});
}

StoredMember HubCore::own_entry() const {
  return {.id = context_.self,
          .name = context_.config.node_name,
          .address = context_.config.advertise,
          .life = context_.life,
          .speaks = context_.config.protocol_max};
}

// Whole, also where only the life is new: a member without its name and address is lost to us.
StoredMember HubCore::entry_of(const Pair& pair) {
  return {.id = pair.id(),
          .name = pair.hello.name(),
          .address = pair.hello.address(),
          .life = pair.life,
          .speaks = pair.hello.protocol_max()};
}

bool HubCore::is_in_cluster() const { return cluster_ && is_self_member() && !is_leaving_; }

// Or is about to, and takes no clients any more.
bool HubCore::has_left() const {
  const StoredMember* const self = members_.find(context_.self);
  return is_leaving_ || (self != nullptr && self->left);
}

bool HubCore::is_given_up_self() const {
  const StoredMember* const self = members_.find(context_.self);
  return self != nullptr && self->given_up >= context_.life;
}

// Something in the table is new: it is stored and told, and what it says of this node is done.
void HubCore::on_members_changed(uint64_t token, std::function<void()> then) {
  leases_.on_members();
  store(stored_state(), std::move(then));
  tell_members(token);
  tell_store_of_the_left();
  for (Pair* const pair : open_pairs()) {
    const StoredMember* const member = members_.find(pair->id());
    if (member == nullptr || !member->left) continue;
    acknowledge(*pair, 0);  // it waits for that to end
    end_session(*pair, true);
  }
  const StoredMember* const self = members_.find(context_.self);
  if (self != nullptr && self->left && !is_leaving_) {
    is_leaving_ = true;
    leases_.stop();
    close_all("this node was removed from the cluster");
  }
  if (is_given_up_self()) close_all(kGoneOn);
}

void HubCore::tell_members(uint64_t token) {
  const proto::Members message = members_message();
  for (Pair* const pair : open_pairs()) pair->send(FrameKind::kMembers, message, token);
}

proto::Members HubCore::members_message() const {
  proto::Members message;
  members_.to_message(message, context_.config.protocol_max);
  return message;
}

// ---- founding and joining -----------------------------------------------------------------------

void HubCore::found_step() {
  if (is_adopting_) return;
  Said unfounded;
  for (const auto& [id, state] : said()) {
    if (!cluster_id_of(state->cluster())) unfounded.emplace(id, state);
  }
  const std::optional<Founding::Founded> founded = founding_.step(unfounded);
  if (!founded) return;
  std::vector<StoredMember> members;
  for (const NodeId id : founded->nodes) {
    members.push_back(id == context_.self ? own_entry() : entry_of(*find_pair(id)));
  }
  context_.log(HubEffects::Log::Level::kInfo,
               absl::StrFormat("a cluster of %d is founded", members.size()));
  StoreFounding store;
  if (store_) {
    store = {context_.config.shards, context_.config.replicas, founded->nodes, 0};
    std::sort(store.founders.begin(), store.founders.end());
  }
  const uint32_t level = Members(members).all_speak();
  adopt(founded->cluster, std::move(store), std::move(members), level);
}

// Nothing is done in the name of a cluster before its id is stored.
void HubCore::adopt(const ClusterId& cluster, StoreFounding founding,
                    std::vector<StoredMember> members, uint32_t level) {
  if (is_adopting_) return;
  is_adopting_ = true;
  const StoredState state{
      context_.self, context_.life.incarnation, cluster, members, founding, false, level};
  store(state, [this, cluster, founding, members = std::move(members), level] {
    is_adopting_ = false;
    cluster_ = cluster;
    context_.level = level;
    store_founding_ = founding;
    for (const StoredMember& member : members) members_.merge(member);
    leases_.on_members();
    open_store();
    send_states();
  });
}

// A node that is in sync but no member becomes one: while this node may acknowledge, which is to say
// with the consent of a majority.
void HubCore::admit(const Pair& pair) {
  if (!is_in_cluster() || admitting_.count(pair.id()) != 0 || !supersede(pair)) return;
  if (leases_.ack_until() <= context_.now.mono) return;
  const StoredMember added = entry_of(pair);
  admitting_.insert(pair.id());
  StoredState state = stored_state();
  state.members.push_back(added);
  std::sort(state.members.begin(), state.members.end(),
            [](const StoredMember& a, const StoredMember& b) { return a.id < b.id; });
  store(std::move(state), [this, added] {
    admitting_.erase(added.id);
    if (!members_.merge(added)) return;
    context_.log(HubEffects::Log::Level::kInfo, "node " + added.name + " is a member now");
    warn_of_namesakes(added);
    on_members_changed();
  });
}

// One at another address may be gone for good, or be somebody else: that is for people to know.
void HubCore::warn_of_namesakes(const StoredMember& added) {
  for (const auto& [id, member] : members_.all()) {
    if (id == added.id || member.left || member.name != added.name) continue;
    const std::string hex = absl::StrFormat("%016x", id.value);
    context_.log(
        HubEffects::Log::Level::kWarn,
        absl::StrFormat("node %s at %s is another member of that name, %s: if it is gone for "
                        "good, let `shoal ctl remove %s` take it out",
                        member.name, member.address, hex, hex));
  }
}

// A node with a new data directory takes the place of the member of the same name and address, which
// cannot be there any more. False: that member may still acknowledge.
bool HubCore::supersede(const Pair& pair) {
  for (const auto& [id, member] : members_.all()) {
    if (id == pair.id() || member.left || member.name != pair.hello.name() ||
        member.address != pair.hello.address()) {
      continue;
    }
    if (!leases_.is_out(id) && !leases_.is_silent(id)) return false;
    context_.log(HubEffects::Log::Level::kWarn,
                 "node " + member.name + " came back without its data: a new member replaces it");
    members_.leave(id);
    on_members_changed();
    return false;  // what follows from that comes first
  }
  return true;
}

// ---- giving up ----------------------------------------------------------------------------------

void HubCore::give_up_silent() {
  leases_.take_back();
  std::vector<NodeId> decided = leases_.to_give_up();
  if (!decided.empty()) {
    for (const NodeId id : decided) {
      if (const Pair* const pair = find_pair(id)) {
        members_.merge(entry_of(*pair));
      }
      members_.give_up(id);
    }
    store(stored_state(), [this, decided] { leases_.on_stored(decided); });
  }
  const std::vector<NodeId> out = leases_.take_out();
  if (!out.empty()) tell_members();
  for (const NodeId id : out) {
    Pair* const pair = find_pair(id);
    const bool has_gone = pair != nullptr && pair->said.gone();
    context_.log(has_gone ? HubEffects::Log::Level::kInfo : HubEffects::Log::Level::kWarn,
                 "node " + members_.find(id)->name +
                     (has_gone ? " has stopped" : " is given up: nothing was heard from it"));
    if (store_) store_->on_gone(id, members_.find(id)->given_up);
    if (pair == nullptr) continue;
    if (pair->is_open()) end_session(*pair, true);
    const LinkId link = pair->link();
    if (link == 0) continue;
    pair->use_link(0);
    links_.close(link, "given up");
  }
}

// ---- being given up -----------------------------------------------------------------------------

void HubCore::close_all(const std::string& why) {
  if (closing_ != 0) return;
  if (SHOAL_MUTATED("given-up-but-stays-open")) return on_all_closed();
  closing_ = context_.all_workers();
  publish_ack_until();
  context_.log(HubEffects::Log::Level::kWarn, why + ": its connections are closed");
  context_.mail(closing_, AllClose{});
}

void HubCore::on_all_closed() {
  ++context_.life.closes;
  if (store_) store_->begin_life();
  for (auto& [worker, mail] : std::exchange(asked_early_, {})) {
    store_->on_worker(worker, std::move(mail));
  }
  if (members_.find(context_.self) != nullptr && members_.merge(own_entry())) on_members_changed();
  say_leaving();
  send_states();
  settle();
}

}  // namespace shoal
