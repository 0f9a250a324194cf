#include "tests/raft/stage.h"

#include <algorithm>
#include <utility>

#include "shoal/assert.h"

namespace shoal::raft::sim {
namespace {

NodeId id_of(int number) { return {static_cast<uint64_t>(number)}; }
int number_of(NodeId id) { return static_cast<int>(id.value); }

}  // namespace

Stage::Stage(int servers, bool entries_apart) {
  options_.group = kStageGroup;
  if (entries_apart) options_.message_bytes_max = 1;
  Configuration configuration;
  for (int i = 1; i <= servers; ++i) configuration.servers.push_back({id_of(i), Role::kVoter});
  const Recovered founded = RaftGroup::founded(configuration);
  for (int i = 1; i <= servers; ++i) {
    servers_.push_back(std::make_unique<Server>());
    disk(i).hard_state = founded.hard_state;
    disk(i).log.assign(founded.log.begin(), founded.log.end());
    start(i);
  }
}

void Stage::add_empty_server() {
  servers_.push_back(std::make_unique<Server>());
  start(static_cast<int>(servers_.size()));
}

void Stage::start(int number) {
  Server& one = at(number);
  options_.self = id_of(number);
  options_.seed = ++seed_;
  one.group = std::make_unique<RaftGroup>(options_, one.disk);
  one.applies.clear();
  const std::optional<State>& state = disk(number).state;
  one.applied = state ? state->meta.index : 0;
  one.hash = state ? state->hash : 0;
  one.group->start(now_, disk(number).recover(), effects_);
  carry_out(number);
}

Outcome Stage::step(int number, Event event) {
  const Outcome outcome = server(number).step(now_, std::move(event), effects_);
  carry_out(number);
  return outcome;
}

void Stage::carry_out(int number) {
  Effects effects;
  std::swap(effects, effects_);
  Server& one = at(number);
  for (Effects::Persist& persist : effects.persists) {
    oracle_.written(persist);
    one.written.push_back(persist.number);
    one.disk.write(std::move(persist));
  }
  for (Message& message : effects.sends) {
    oracle_.sent(message, disk(number));
    mail_.push_back(std::move(message));
  }
  for (Effects::Apply& apply : effects.applies) {
    one.applies.insert(one.applies.end(), apply.entries.begin(), apply.entries.end());
  }
  for (const Effects::Cut& cut : effects.cuts) one.disk.cut(cut);
  for (const Effects::RoleChange& role : effects.roles) {
    oracle_.role(id_of(number), role, one.group->applied());
  }
  for (const Effects::Committed& committed : effects.configurations) {
    oracle_.configured(committed);
  }
}

void Stage::tick(int number) {
  now_ = std::max(now_, server(number).deadline());
  step(number, Tick{});
}

void Stage::sync(int number) {
  Server& one = at(number);
  if (one.written.empty()) return;
  const uint64_t last = one.written.back();
  one.written.clear();
  one.disk.begin_batch();
  one.disk.finish_batch();
  if (disk(number).state && disk(number).state->meta.index > one.applied) {
    one.applied = disk(number).state->meta.index;
    one.hash = disk(number).state->hash;
    one.applies.clear();
  }
  step(number, Persisted{last});
}

void Stage::sync_first(int number) {
  Server& one = at(number);
  SHOAL_ASSERT(!one.written.empty());
  const uint64_t first = one.written.front();
  one.written.erase(one.written.begin());
  one.disk.begin_batch(1);
  one.disk.finish_batch();
  step(number, Persisted{first});
}

void Stage::deliver(const std::function<bool(const Message&)>& which) {
  std::vector<Message> now;
  std::erase_if(mail_, [&](const Message& message) {
    if (!which(message)) return false;
    now.push_back(message);
    return true;
  });
  for (Message& message : now) step(number_of(message.to), Received{std::move(message)});
}

void Stage::drop(const std::function<bool(const Message&)>& which) { std::erase_if(mail_, which); }

void Stage::rewrite(const std::function<void(Message&)>& how) {
  for (Message& message : mail_) how(message);
}

bool Stage::apply(int number) {
  Server& one = at(number);
  if (one.applies.empty()) return false;
  for (const Entry& entry : std::exchange(one.applies, {})) {
    if (entry.index != one.applied + 1) oracle_.violate("an apply with a gap");
    one.hash = Oracle::next_hash(one.hash, entry);
    one.applied = entry.index;
    oracle_.applied(kStageGroup, id_of(number), entry, one.hash);
  }
  step(number, Applied{one.applied});
  return true;
}

void Stage::settle(std::vector<int> servers) {
  const auto among = [&](NodeId id) {
    return std::find(servers.begin(), servers.end(), number_of(id)) != servers.end();
  };
  const auto inside = [&](const Message& message) {
    return among(message.from) && among(message.to);
  };
  bool goes_on = true;
  while (goes_on) {
    goes_on = std::any_of(mail_.begin(), mail_.end(), inside);
    deliver(inside);
    for (const int number : servers) {
      goes_on = goes_on || !at(number).written.empty();
      sync(number);
      goes_on = apply(number) || goes_on;
    }
  }
}

bool Stage::elect(int number, const std::vector<int>& with) {
  for (int tries = 0; tries < 4 && !leads(number); ++tries) {
    // The others forget the leader that they had, and ask for votes that nobody hears.
    for (const int other : with) {
      if (other == number) continue;
      if (server(other).role().leader) tick(other);
      drop([&](const Message& message) { return number_of(message.from) == other; });
    }
    tick(number);
    settle(with);
  }
  return leads(number);
}

bool Stage::elect_only(int number, const std::vector<int>& with) {
  const auto asks = [](const Message& message) {
    return std::holds_alternative<RequestVote>(message.body);
  };
  for (int round = 0; round < 8 && !leads(number); ++round) {
    tick(number);
    for (int i = 0; i < 4 && !leads(number); ++i) {
      sync(number);
      deliver(asks);
      for (const int other : with) sync(other);
      deliver([number](const Message& message) { return number_of(message.to) == number; });
    }
  }
  return leads(number);
}

Outcome Stage::submit(int number, int commands) {
  Submit event;
  for (int i = 0; i < commands; ++i) {
    std::vector<uint8_t> bytes(8, static_cast<uint8_t>(++commands_));
    event.commands.push_back(std::make_shared<const std::vector<uint8_t>>(std::move(bytes)));
  }
  return step(number, std::move(event));
}

void Stage::crash(int number) {
  Server& one = at(number);
  one.group.reset();
  one.written.clear();
  one.disk.lose_unsynced();
  drop([&](const Message& message) { return number_of(message.to) == number; });
}

void Stage::restart(int number) { start(number); }

void Stage::install_elsewhere(int from, int to) {
  const std::optional<SnapshotMeta> meta = server(from).meta_at(at(from).applied);
  SHOAL_ASSERT(meta.has_value());
  at(to).disk.staged(kStageGroup)[meta->index] = State{*meta, at(from).hash};
  const std::optional<Message> message = server(from).install_message(id_of(to), *meta);
  SHOAL_ASSERT(message.has_value());
  step(to, Received{*message});
}

Message Stage::message(int from, int to, Term term, Body body) const {
  return {kStageGroup, id_of(from), id_of(to), term, std::move(body)};
}

}  // namespace shoal::raft::sim
