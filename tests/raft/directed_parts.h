// What the schedules by hand share, and what each part of them is called by.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/raft/wire.h"
#include "tests/raft/stage.h"

namespace shoal::raft::sim {

struct Schedule {
  const char* name;
  std::string (*run)();
};

std::vector<Schedule> schedules_of_votes();
std::vector<Schedule> schedules_of_logs();
std::vector<Schedule> schedules_of_members();

// Collects what was not as it must be; the first one is what a schedule reports.
class Verdict {
 public:
  void expect(bool holds, const char* what) {
    if (!holds && failure_.empty()) failure_ = what;
  }
  std::string of(Stage& stage) const {
    if (!failure_.empty()) return failure_;
    const std::vector<std::string>& violations = stage.oracle().violations();
    return violations.empty() ? std::string() : violations.front();
  }

 private:
  std::string failure_;
};

inline const auto kAll = [](const Message&) { return true; };

template <class Body>
bool is(const Message& message) {
  return std::holds_alternative<Body>(message.body);
}

inline std::function<bool(const Message&)> from_to(uint64_t from, uint64_t to) {
  return
      [=](const Message& message) { return message.from.value == from && message.to.value == to; };
}

inline std::function<bool(const Message&)> to(uint64_t number) {
  return [=](const Message& message) { return message.to.value == number; };
}

template <class Body>
const Message* last_of(const Stage& stage, uint64_t from, uint64_t to) {
  const Message* found = nullptr;
  for (const Message& message : stage.mail()) {
    if (is<Body>(message) && from_to(from, to)(message)) found = &message;
  }
  return found;
}

inline Entry command_at(Index index, Term term, uint8_t mark) {
  const std::vector<uint8_t> bytes(4, mark);
  return {index, term, EntryKind::kCommand, std::make_shared<const std::vector<uint8_t>>(bytes)};
}

inline Entry change_at(Index index, Term term, std::vector<Server> servers) {
  return {index, term, EntryKind::kChange, encode(Configuration{std::move(servers)})};
}

}  // namespace shoal::raft::sim
