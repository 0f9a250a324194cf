// Links, and who is at their other end. Of several links to one node each side uses the one on which
// the other's State came: whoever dials sends a State only when it needs the link, and the lower
// NodeId alone closes what is left over. So the two never close each other's choice.
#include <algorithm>
#include <utility>

#include "cluster/core/hub_core.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

// A link on which something came so recently needs no other beside it.
constexpr Duration kGoodLink = Duration::millis(600);
constexpr size_t kPairsMax = 4096;  // nodes ever met by this process
constexpr size_t kTextMax = 1024;   // of a name or an address
constexpr Duration kRefusalSilence = Duration::seconds(60);
constexpr size_t kRefusalsMax = 64;

}  // namespace

Pair* HubCore::find_pair(NodeId id) {
  const auto it = pairs_.find(id);
  return it == pairs_.end() ? nullptr : it->second.get();
}

const Pair* HubCore::find_pair(NodeId id) const {
  const auto it = pairs_.find(id);
  return it == pairs_.end() ? nullptr : it->second.get();
}

Pair& HubCore::pair_of(NodeId id) {
  std::unique_ptr<Pair>& pair = pairs_[id];
  if (!pair) {
    pair = std::make_unique<Pair>(context_, id, static_cast<NodeSlot>(slots_.size()));
    slots_.push_back(pair.get());
  }
  return *pair;
}

Pair* HubCore::pair_at(NodeSlot slot) { return slot < slots_.size() ? slots_[slot] : nullptr; }

void HubCore::on_link_up(LinkId id, bool dialled_by_us, std::string address, Now now) {
  context_.now = now;
  if (dialled_by_us && links_.find(id) == nullptr) return;  // given up meanwhile
  SHOAL_ASSERT(dialled_by_us || id >= kAcceptedLink);
  send_hello(links_.on_up(id, dialled_by_us, std::move(address)));
}

void HubCore::on_link_down(LinkId id, const std::string& why, Now now) {
  context_.now = now;
  const Link* const found = links_.find(id);
  if (found == nullptr) return;
  const Link link = *found;
  links_.on_down(id, why);
  lose_link(link);
  dial();
}

void HubCore::lose_link(const Link& link) {
  Pair* const pair = find_pair(link.peer);
  if (pair == nullptr || pair->link() != link.id) return;
  LinkId next = 0;
  for (const auto& [id, other] : links_.all()) {
    if (other.up && other.peer == link.peer) next = id;
  }
  pair->use_link(next);
  if (next != 0) send_state(*pair);
}

void HubCore::send_hello(const Link& link) {
  proto::Hello hello;
  hello.set_protocol_min(context_.config.protocol_min);
  hello.set_protocol_max(context_.config.protocol_max);
  hello.set_name(context_.config.node_name);
  hello.set_address(context_.config.advertise);
  hello.set_software(context_.config.software);
  hello.set_zone(context_.config.zone);
  hello.set_weight(context_.config.weight);
  hello.set_process(context_.process);
  if (context_.level > kProtocolMin) hello.set_level(context_.level);
  const FrameHeader header{
      .kind = FrameKind::kHello, .sender = context_.self, .incarnation = context_.life.incarnation};
  context_.effects.sends.push_back({link.id, Lane::kControl, make_frame(header, hello)});
}

// The other side says it, too: it hears why.
void HubCore::refuse(const Link& link, const std::string& why, uint32_t level) {
  warn_of_refusal("refused " + link.address, why);
  turn_away(link, why, level);
}

void HubCore::turn_away(const Link& link, const std::string& why, uint32_t level) {
  proto::Refuse message;
  message.set_why(why);
  message.set_level(level);
  const FrameHeader header{.kind = FrameKind::kRefuse,
                           .sender = context_.self,
                           .incarnation = context_.life.incarnation};
  context_.effects.sends.push_back({link.id, Lane::kControl, make_frame(header, message)});
  drop(link, why);
}

void HubCore::drop(const Link& link, const std::string& why) {
  const Link dropped = link;
  links_.close(link.id, why);
  lose_link(dropped);
}

// It happens again with each attempt: a line a minute.
void HubCore::warn_of_refusal(const std::string& what, const std::string& why) {
  std::erase_if(refusals_told_, [this](const auto& told) {
    return context_.now.mono - told.second >= kRefusalSilence;
  });
  if (refusals_told_.size() >= kRefusalsMax) return;
  if (!refusals_told_.emplace(why, context_.now.mono).second) return;
  context_.log(HubEffects::Log::Level::kWarn, what + ": " + why);
}

std::string HubCore::check_hello(const FrameHeader& header, const proto::Hello& hello) const {
  if (!header.sender || header.incarnation == 0) return "a hello without an identity";
  if (hello.name().size() > kTextMax || hello.address().size() > kTextMax) return "a long hello";
  if (hello.protocol_min() > context_.config.protocol_max ||
      hello.protocol_max() < context_.config.protocol_min) {
    return "node " + context_.config.node_name + " speaks protocol " +
           std::to_string(context_.config.protocol_min) + " to " +
           std::to_string(context_.config.protocol_max) + ", node " + hello.name() + " " +
           std::to_string(hello.protocol_min()) + " to " + std::to_string(hello.protocol_max());
  }
  if (std::string wrong = check_speaks(hello); !wrong.empty()) return wrong;
  if (header.sender == context_.self) {
    return hello.process() == context_.process ? "this node itself"
                                               : "two processes have the identity of this node";
  }
  const StoredMember* const member = members_.find(header.sender);
  if (member != nullptr && member->left) {
    return "node " + hello.name() + kHasLeft;
  }
  uint64_t known = member == nullptr ? 0 : member->life.incarnation;
  const Pair* const pair = find_pair(header.sender);
  if (pair != nullptr) known = std::max(known, pair->life.incarnation);
  if (header.incarnation < known) {
    return "an earlier start of node " + hello.name() +
           ": its data directory was started again since, here or as a copy";
  }
  if (pair != nullptr && header.incarnation == pair->life.incarnation &&
      hello.process() != pair->hello.process()) {
    return "two processes have the identity of node " + hello.name();
  }
  return pair == nullptr && pairs_.size() >= kPairsMax ? "too many nodes" : "";
}

void HubCore::on_hello(Link& link, const ParsedFrame& frame) {
  proto::Hello hello;
  if (!hello.ParseFromArray(frame.body.data(), static_cast<int>(frame.body.size())) || link.peer) {
    return refuse(link, "a hello that breaks the protocol");
  }
  // Each says so for itself: it needs no word of the other.
  if (is_outdated(link, hello.level())) return;
  const std::string wrong = check_hello(frame.header, hello);
  if (!wrong.empty()) {
    // A seed may be this node, by another name of its address.
    const bool is_loop =
        frame.header.sender == context_.self && hello.process() == context_.process;
    if (is_loop) return drop(link, wrong);
    return refuse(link, wrong, hello.protocol_max() < context_.level ? context_.level : 0);
  }
  Pair& pair = pair_of(frame.header.sender);
  if (frame.header.incarnation > pair.life.incarnation) {
    // All links of its earlier life are dead, and what it was told then is forgotten there.
    if (pair.is_open()) end_session(pair, false);
    for (const auto& [id, other] : std::map<LinkId, Link>(links_.all())) {
      if (other.peer == pair.id()) links_.close(id, "of an earlier start");
    }
    pair.use_link(0);
    pair.life = {frame.header.incarnation, 0};
    pair.said.Clear();
  }
  pair.hello = std::move(hello);
  link.peer = pair.id();
  link.last_heard = context_.now.mono;
  links_.on_identified(link);
  choose_link(link, pair, false);
  settle();
}

bool HubCore::has_good_link(const Pair& pair) const {
  const auto it = links_.all().find(pair.link());
  return it != links_.all().end() && context_.now.mono - it->second.last_heard < kGoodLink;
}

void HubCore::choose_link(Link& link, Pair& pair, bool is_state) {
  if (pair.link() == link.id) return;
  if (!is_state) {
    if (!link.dialled) return;  // whoever dialled says whether it is needed
    if (has_good_link(pair)) return links_.close(link.id, "there is one already");
  }
  const LinkId before = pair.link();
  pair.use_link(link.id);
  links_.on_chosen(link);
  if (before != 0 && context_.self < pair.id()) links_.close(before, "a newer one is there");
  send_state(pair);
}

void HubCore::dial() {
  for (const std::string& seed : context_.config.join) links_.add_target(seed);
  for (const auto& [id, member] : members_.all()) {
    if (id != context_.self && !member.left) links_.add_target(member.address);
  }
  links_.dial([this](const std::string& address, NodeId leads_to) {
    bool is_address_of_member = false;
    for (const auto& [id, member] : members_.all()) {
      if (member.address != address || member.left || id == context_.self) continue;
      is_address_of_member = true;
      const Pair* const pair = find_pair(id);
      if (pair == nullptr || pair->link() == 0) return true;
    }
    if (is_address_of_member) return false;
    const Pair* const pair = find_pair(leads_to);
    const bool is_linked = pair != nullptr && pair->link() != 0;
    // A name may stand for nodes that nobody has met yet.
    return !is_linked || !is_in_cluster();
  });
}

}  // namespace shoal
