// Retained messages for new subscriptions: asked from the hub a portion at a time, one subscription
// after the other, as fast as the client reads them. And the $SYS messages, which stay at this worker.
#include <algorithm>

#include "node/broker/core.h"
#include "node/rules/topic.h"
#include "shoal/assert.h"

namespace shoal {

void Core::start_replays(Session& s, std::vector<Replay>& replays) {
  if (replays.empty()) return;
  for (Replay& replay : replays) s.need_extra().replays.push_back(std::move(replay));
  s.replaying = true;
  pump(s);
}

void Core::ask_for_portion(Session& s, Replay& replay) {
  if (replay.system) {
    for (const auto& [topic, message] : system_messages_) {
      if (topic_matches(replay.filter, topic)) replay.portion.push_back(message);
    }
    replay.done = true;
    return;
  }
  std::string after;
  if (!replay.portion.empty()) after = std::string(replay.portion.back()->topic());
  replay.portion.clear();
  replay.next = 0;
  replay.asked = true;
  replay.query = ++query_number_;
  queries_.emplace(replay.query, std::make_pair(s.index, s.generation));
  current_.to_hub.push_back(RetainedQuery{replay.query, replay.filter, std::move(after)});
}

void Core::on_portion(RetainedPortion&& portion) {
  const auto found = queries_.find(portion.query);
  if (found == queries_.end()) return;
  const auto [slot, generation] = found->second;
  queries_.erase(found);
  Session* const s = sessions_.find(slot, generation);
  if (!s || !s->replaying) return;
  Replay& replay = s->extra->replays.front();
  SHOAL_ASSERT(replay.query == portion.query);
  replay.portion = std::move(portion.messages);
  replay.next = 0;
  replay.asked = false;
  replay.done = portion.done;
  pump(*s);
}

void Core::pump_replays(Session& s) {
  while (s.replaying && s.connection) {
    Replay& replay = s.extra->replays.front();
    if (replay.next < replay.portion.size()) {
      if (!replay_one(s, replay)) return;
    } else if (replay.done) {
      s.extra->replays.pop_front();
      if (s.extra->replays.empty()) end_replay(s);
    } else if (replay.asked) {
      return;
    } else {
      ask_for_portion(s, replay);
    }
  }
}

// False when there is no room: the output is asked for it, or an acknowledgement brings it.
bool Core::replay_one(Session& s, Replay& replay) {
  Publication p;
  p.message = replay.portion[replay.next];
  p.view = p.message->view();
  Outgoing how;
  how.qos = std::min(p.view.qos, replay.options.qos);
  if (how.qos != Qos::k0 && s.is_stored()) {  // owed by the store
    ++replay.next;
    return true;
  }
  how.retain = true;  // [MQTT311-3.3.1-8]
  if (replay.options.identifier) how.identifiers = {&replay.options.identifier, 1};
  const bool has_room = how.qos != Qos::k0
                            ? s.queue.empty() && can_send(s)
                            : s.connection->output.bytes() < config_.limits.output_bytes_low;
  if (!has_room) {
    if (how.qos == Qos::k0) s.connection->output.want_room(true);
    return false;
  }
  ++replay.next;
  const bool own = replay.options.no_local && p.view.publisher == s.hash;  // [MQTT5-3.8.3-3]
  if (own || p.view.expires_at <= now_.mono || s.extra->seen_live.contains(p.view.topic)) {
    return true;
  }
  if (s.access && !s.access->may_receive(p.view.topic)) {
    drop(DropReason::kNotAllowed);
    return true;
  }
  ++counters_.retained_sent;
  if (how.qos == Qos::k0) {
    send_unreliable(s, p, how);
  } else {
    send_reliable(s, p, how, nullptr);
  }
  return true;
}

void Core::end_replay(Session& s) {
  s.replaying = false;
  s.extra->seen_live.clear();
  s.extra->replays.release_if_empty();
  drop_extra_if_idle(s);
}

void Core::cancel_replays(Session& s) {
  if (!s.replaying) return;
  queries_.erase(s.extra->replays.front().query);
  s.extra->replays.clear();
  end_replay(s);
}

void Core::cancel_replays_of(Session& s, std::string_view filter) {
  Ring<Replay>& replays = s.extra->replays;
  for (uint32_t i = 0; i < replays.size(); ++i) {
    if (replays[i].filter != filter) continue;
    queries_.erase(replays[i].query);
    replays[i].portion.clear();
    replays[i].next = 0;
    replays[i].asked = false;
    replays[i].done = true;
  }
  pump(s);
}

void Core::publish_system(std::string_view topic, std::string_view payload, Now now) {
  begin(now);
  Publication p;
  p.view.topic = topic;
  p.view.payload = bytes_of(payload);
  p.view.retain = true;
  if (payload.empty()) {
    system_messages_.erase(std::string(topic));
  } else {
    system_messages_.insert_or_assign(std::string(topic), p.reference());
  }
  p.headers = &headers_[0];
  p.headers->reset();
  const Match& match = router_.match(topic);
  for (const LocalTarget& target : match.targets()) deliver(p, match, target);
  settle();
}

}  // namespace shoal
