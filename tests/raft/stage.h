// A group of a few servers of which nothing happens by itself: a schedule says who ticks, which message
// arrives, whose disk syncs and who crashes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cluster/raft/raft_group.h"
#include "tests/raft/oracle.h"
#include "tests/raft/sim_disk.h"

namespace shoal::raft::sim {

constexpr GroupId kStageGroup{0, 1};

class Stage {
 public:
  // `entries_apart`: each entry travels in a message of its own.
  explicit Stage(int servers, bool entries_apart = false);

  void add_empty_server();  // that is no member yet

  // Servers are numbered from 1.
  RaftGroup& server(int number) { return *at(number).group; }
  bool leads(int number) { return role(number) == Effects::RoleChange::Role::kLeader; }
  Term term(int number) { return server(number).role().term; }
  DurableGroup& disk(int number) { return at(number).disk.group(kStageGroup); }
  Oracle& oracle() { return oracle_; }

  Outcome step(int number, Event event);
  // Lets the time come at which this server is due; the others do not notice.
  void tick(int number);
  void sync(int number);        // all that it has written
  void sync_first(int number);  // the oldest write alone
  // What was said is heard; another's messages wait. Without a message nothing happens.
  void deliver(const std::function<bool(const Message&)>& which);
  void drop(const std::function<bool(const Message&)>& which);
  void rewrite(const std::function<void(Message&)>& how);
  // Among these everything is delivered, synced and applied until nobody has anything to do.
  void settle(std::vector<int> servers);
  // The server ticks until it leads, heard by these.
  bool elect(int number, const std::vector<int>& with);
  // The same, but of the messages only the votes are heard: the leader's term stays unsettled.
  bool elect_only(int number, const std::vector<int>& with);
  Outcome submit(int number, int commands = 1);
  void crash(int number);  // loses what was not synced
  void restart(int number);
  void install_elsewhere(int from, int to);  // streams the state and delivers its message

  const std::vector<Message>& mail() const { return mail_; }
  Message message(int from, int to, Term term, Body body) const;

 private:
  struct Server {
    std::unique_ptr<RaftGroup> group;
    SimDisk disk;
    std::vector<Entry> applies;
    Index applied = 0;
    uint64_t hash = 0;
    std::vector<uint64_t> written;
  };

  Server& at(int number) { return *servers_[static_cast<size_t>(number - 1)]; }
  Effects::RoleChange::Role role(int number) { return server(number).role().role; }
  void start(int number);
  void carry_out(int number);
  bool apply(int number);

  GroupOptions options_;
  Oracle oracle_;
  Instant now_ = Instant{} + Duration::seconds(1);
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<Message> mail_;
  Effects effects_;
  uint64_t commands_ = 0;
  uint64_t seed_ = 0;
};

}  // namespace shoal::raft::sim
