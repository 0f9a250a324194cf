#include "cluster/core/members.h"

#include <algorithm>

#include "proto/shoal/hub.pb.h"
#include "shoal/assert.h"
#include "shoal/protocol.h"

namespace shoal {

Members::Members(const std::vector<StoredMember>& stored) {
  for (const StoredMember& member : stored) members_.emplace(member.id, member);
}

const StoredMember* Members::find(NodeId id) const {
  const auto it = members_.find(id);
  return it == members_.end() ? nullptr : &it->second;
}

bool Members::is_member(NodeId id) const {
  const StoredMember* const member = find(id);
  return member != nullptr && !member->left;
}

int Members::count() const {
  return static_cast<int>(std::count_if(members_.begin(), members_.end(),
                                        [](const auto& entry) { return !entry.second.left; }));
}

int Members::majority(int expect, int leaving) const {
  const int staying = count() - leaving;
  const int left = static_cast<int>(members_.size()) - staying;
  return std::max({staying, expect - left, 1}) / 2 + 1;
}

uint32_t Members::all_speak() const {
  uint32_t all = UINT32_MAX;
  for (const auto& [id, member] : members_) {
    if (!member.left) all = std::min(all, std::max(member.speaks, kProtocolMin));
  }
  return all;
}

bool Members::merge(const StoredMember& heard) {
  const auto [it, is_new] = members_.try_emplace(heard.id, heard);
  if (is_new) return true;
  StoredMember& known = it->second;
  const StoredMember before = known;
  if (heard.life.incarnation > known.life.incarnation) {
    known.name = heard.name;
    known.address = heard.address;
    known.speaks = heard.speaks;
  } else if (heard.life.incarnation == known.life.incarnation) {
    known.speaks = std::max(known.speaks, heard.speaks);
  }
  known.life = std::max(known.life, heard.life);
  known.given_up = std::max(known.given_up, heard.given_up);
  known.left = known.left || heard.left;
  return known != before;
}

bool Members::give_up(NodeId id) {
  StoredMember& member = members_.at(id);
  if (member.given_up >= member.life) return false;
  member.given_up = member.life;
  return true;
}

bool Members::leave(NodeId id) {
  StoredMember& member = members_.at(id);
  if (member.left) return false;
  member.left = true;
  return true;
}

std::vector<StoredMember> Members::to_stored() const {
  std::vector<StoredMember> stored;
  for (const auto& [id, member] : members_) stored.push_back(member);
  return stored;
}

void Members::to_message(proto::Members& out, uint32_t protocol_max) const {
  const auto set = [](proto::Life* to, const Life& from) {
    to->set_incarnation(from.incarnation);
    to->set_closes(from.closes);
  };
  for (const auto& [id, member] : members_) {
    proto::Members::Member* const entry = out.add_members();
    entry->set_id(id.value);
    entry->set_name(member.name);
    entry->set_address(member.address);
    set(entry->mutable_life(), member.life);
    set(entry->mutable_given_up(), member.given_up);
    entry->set_left(member.left);
    if (protocol_max >= kMembersSpeakLevel) entry->set_speaks(member.speaks);
  }
}

bool Members::merge(const proto::Members& heard) {
  bool changed = false;
  for (const proto::Members::Member& entry : heard.members()) {
    if (entry.id() == 0) continue;
    const auto life = [](const proto::Life& from) {
      return Life{from.incarnation(), from.closes()};
    };
    changed |= merge(StoredMember{.id = NodeId{entry.id()},
                                  .name = entry.name(),
                                  .address = entry.address(),
                                  .life = life(entry.life()),
                                  .given_up = life(entry.given_up()),
                                  .left = entry.left(),
                                  .speaks = entry.speaks()});
  }
  return changed;
}

}  // namespace shoal
