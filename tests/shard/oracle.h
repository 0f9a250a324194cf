// What durable sessions are to do, written once more as plainly as it can be: lists, and no numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/shard/records.h"
#include "tests/rules/naive_match.h"

namespace shoal::shard {

struct OracleMessage {
  std::string payload;
  Qos qos = Qos::k1;
  uint64_t expires_at = 0;
  bool sent = false;  // possibly
  bool released = false;
};

// What a client must have got in the end, in order.
struct Expected {
  std::string payload;
  bool required = true;  // its session ended before it was finished
};

struct OracleSession {
  bool attached = false;
  uint16_t receive_maximum = 1;
  uint32_t expiry_s = 0;
  uint64_t expires_at = 0;
  std::map<std::string, Qos> filters;
  std::vector<OracleMessage> queue;
  std::map<DropReason, uint64_t> drops;
};

class Oracle {
 public:
  explicit Oracle(const ShardLimits& limits) : limits_(limits) {}

  void advance(uint64_t stamp) {
    stamp_ = stamp;
    std::vector<std::string> over;
    for (const auto& [id, session] : sessions) {
      if (!session.attached && session.expires_at <= stamp_) over.push_back(id);
    }
    for (const std::string& id : over) end(id);
  }
  void connect(const std::string& id, uint16_t receive_maximum, uint32_t expiry_s, bool clean) {
    if (clean && sessions.contains(id)) end(id);
    OracleSession& session = sessions[id];
    session.attached = true;
    session.receive_maximum = receive_maximum;
    session.expiry_s = expiry_s;
    extend(id, session);
  }
  void detach(const std::string& id) {
    OracleSession& session = sessions.at(id);
    session.attached = false;
    session.expires_at = stamp_ + session.expiry_s * 1000;
    if (session.expiry_s == 0) end(id);
  }
  void publish(const std::string& topic, const OracleMessage& message) {
    for (auto& [id, session] : sessions) {
      Qos granted = Qos::k0;
      for (const auto& [filter, qos] : session.filters) {
        if (naive_matches(filter, topic)) granted = std::max(granted, qos);
      }
      OracleMessage copy = message;
      copy.qos = std::min(granted, message.qos);
      if (copy.qos == Qos::k0 || !make_room(id, session)) continue;
      session.queue.push_back(copy);
      expected[id].push_back({copy.payload});
      extend(id, session);
    }
  }
  // The message is found by its payload: they are all different.
  void finish(const std::string& id, const std::string& payload) {
    OracleSession& session = sessions.at(id);
    std::erase_if(session.queue, [&](const OracleMessage& m) { return m.payload == payload; });
    extend(id, session);
  }
  void release(const std::string& id, const std::string& payload) {
    for (OracleMessage& each : sessions.at(id).queue) {
      if (each.payload == payload) each.released = true;
    }
  }

  std::map<std::string, OracleSession> sessions;
  std::map<std::string, std::vector<Expected>> expected;

 private:
  using Queue = std::vector<OracleMessage>;

  static Queue::iterator first_unsent(OracleSession& session) {
    return std::find_if(session.queue.begin(), session.queue.end(),
                        [](const OracleMessage& m) { return !m.sent; });
  }
  bool is_expired(const OracleMessage& message) const {
    return message.expires_at != 0 && message.expires_at <= stamp_;
  }
  void drop(const std::string& id, OracleSession& session, Queue::iterator at, DropReason why) {
    ++session.drops[why];
    std::erase_if(expected[id], [&](const Expected& e) { return e.payload == at->payload; });
    session.queue.erase(at);
  }
  void extend(const std::string& id, OracleSession& session) {
    if (!session.attached) return;
    const auto room = [&] {
      return std::count_if(session.queue.begin(), session.queue.end(), [](const OracleMessage& m) {
               return m.sent;
             }) < 4 * session.receive_maximum;
    };
    for (auto at = first_unsent(session); at != session.queue.end() && room();
         at = first_unsent(session)) {
      if (is_expired(*at)) {
        drop(id, session, at, DropReason::kExpired);
      } else {
        at->sent = true;
      }
    }
  }
  bool make_room(const std::string& id, OracleSession& session) {
    while (session.queue.size() >= limits_.queued_max) {
      const auto oldest = first_unsent(session);
      const bool expired = oldest != session.queue.end() && is_expired(*oldest);
      if (oldest == session.queue.end() || (limits_.rejects_new && !expired)) {
        ++session.drops[DropReason::kNew];
        return false;
      }
      drop(id, session, oldest, expired ? DropReason::kExpired : DropReason::kOldest);
    }
    return true;
  }
  void end(const std::string& id) {
    for (const OracleMessage& open : sessions.at(id).queue) {
      for (Expected& each : expected[id]) {
        if (each.payload == open.payload) each.required = false;
      }
    }
    sessions.erase(id);
  }

  ShardLimits limits_;
  uint64_t stamp_ = 0;
};

}  // namespace shoal::shard
