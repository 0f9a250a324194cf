// What is committed, and snapshots.
#include "tests/raft/directed_parts.h"

namespace shoal::raft::sim {
namespace {

// -- what is committed -------------------------------------------------------------------------------

// Figure 8 of the Raft paper: an entry of an old term on a majority may still be replaced.
std::string old_term_is_not_committed_by_counting() {
  Stage stage(5, true);
  Verdict verdict;
  verdict.expect(stage.elect(1, {1, 2, 3, 4, 5}), "no leader");
  stage.submit(1);
  const Index index = stage.server(1).last();
  stage.sync(1);
  stage.deliver(to(2));
  stage.sync(2);
  stage.drop(kAll);
  stage.crash(1);
  stage.restart(1);
  // A leader again, by the votes of those that do not have the entry; its barrier is sent behind it.
  for (int tries = 0; tries < 6 && !stage.leads(1); ++tries) {
    for (const int other : {3, 4}) {
      if (stage.server(other).role().leader) stage.tick(other);
    }
    stage.drop([](const Message& message) { return message.from.value != 1; });
    stage.tick(1);
    for (int i = 0; i < 4 && !stage.leads(1); ++i) {
      stage.sync(1);
      stage.deliver([](const Message& message) {
        return is<RequestVote>(message) && (message.to.value == 3 || message.to.value == 4);
      });
      stage.sync(3);
      stage.sync(4);
      stage.deliver(to(1));
    }
  }
  verdict.expect(stage.leads(1), "no second leadership");
  stage.sync(1);
  // Everybody gets the old entry and nobody the barrier.
  for (int round = 0; round < 6; ++round) {
    stage.tick(1);
    stage.rewrite([&](Message& message) {
      auto* body = std::get_if<AppendEntries>(&message.body);
      if (body != nullptr && body->prev_index >= index) body->entries.clear();
    });
    stage.deliver(kAll);
    for (const int other : {2, 3, 4, 5}) stage.sync(other);
    stage.deliver(to(1));
  }
  verdict.expect(stage.server(1).match({3}) == index, "the old entry is not on a majority");
  verdict.expect(stage.server(1).commit() < index, "an old term's entry is committed by counting");
  return verdict.of(stage);
}

// A leader that is cut off right after its first entry has promised nothing; its entry goes.
std::string leader_cut_right_after_its_first_entry() {
  Stage stage(3);
  Verdict verdict;
  verdict.expect(stage.elect(1, {1, 2, 3}), "no leader");
  stage.submit(1);
  stage.drop(kAll);
  verdict.expect(stage.elect(2, {2, 3}), "no second leader");
  const Index lost = stage.server(1).last();
  stage.submit(2);
  stage.settle({2, 3});
  stage.tick(2);
  stage.settle({1, 2, 3});
  stage.tick(2);
  stage.settle({1, 2, 3});
  verdict.expect(stage.server(1).term_at(lost) == stage.server(2).term_at(lost),
                 "the old leader keeps an entry of its own");
  verdict.expect(stage.server(1).applied() == stage.server(2).applied(), "not the same applied");
  return verdict.of(stage);
}

std::string leader_serves_after_its_own_entry() {
  Stage stage(3);
  Verdict verdict;
  verdict.expect(stage.elect_only(1, {2, 3}), "no leader");
  verdict.expect(!stage.server(1).role().serving, "serves before it knows what is committed");
  verdict.expect(stage.submit(1) == Outcome::kNotServing, "takes commands before it serves");
  stage.settle({1, 2, 3});
  verdict.expect(stage.server(1).role().serving, "never serves");
  verdict.expect(stage.submit(1) == Outcome::kDone, "takes no commands");
  return verdict.of(stage);
}

// -- snapshots ---------------------------------------------------------------------------------------

// A leader with a state that has some commands, and server 3 that knows it and has none of them.
void stage_a_snapshot(Stage& stage, Verdict& verdict, int commands) {
  verdict.expect(stage.elect(1, {1, 2}), "no leader");
  for (int i = 0; i < commands; ++i) stage.submit(1);
  stage.settle({1, 2});
  stage.step(3, Received{stage.message(1, 3, stage.term(1), AppendEntries{1, 1, 1, {}})});
  stage.sync(3);
  stage.drop(kAll);
}

// Guard 3: a message from the log's beginning, delayed until a snapshot is there.
std::string old_entries_after_a_snapshot() {
  Stage stage(3);
  Verdict verdict;
  stage_a_snapshot(stage, verdict, 5);
  stage.install_elsewhere(1, 3);
  stage.sync(3);
  stage.drop(kAll);
  const Index last = stage.server(3).last();
  std::vector<Entry> entries;
  for (Index index = 1; index <= 3; ++index) {
    entries.push_back(stage.disk(1).log[index - 1]);
  }
  stage.step(3, Received{stage.message(1, 3, stage.term(1), AppendEntries{0, 0, last, entries})});
  stage.sync(3);
  verdict.expect(stage.server(3).last() == last, "old entries are appended behind a snapshot");
  verdict.expect(stage.server(3).commit() == last, "the commit index went back");
  return verdict.of(stage);
}

// Guard 8, and the crash in the middle of it.
std::string snapshot_acknowledged_when_it_is_durable() {
  Stage stage(3);
  Verdict verdict;
  stage_a_snapshot(stage, verdict, 5);
  stage.install_elsewhere(1, 3);
  verdict.expect(last_of<AppendResult>(stage, 3, 1) == nullptr,
                 "acknowledged before it is durable");
  stage.crash(3);
  stage.restart(3);
  verdict.expect(stage.server(3).applied() <= 1, "a snapshot from nowhere");
  stage.install_elsewhere(1, 3);
  stage.sync(3);
  const Message* answer = last_of<AppendResult>(stage, 3, 1);
  verdict.expect(answer != nullptr &&
                     std::get<AppendResult>(answer->body).last_index == stage.server(1).applied(),
                 "a durable snapshot is not acknowledged");
  return verdict.of(stage);
}

// Heartbeats go on while a snapshot is installed: they tell of commits that are not in the log yet.
std::string nothing_applied_while_installing() {
  Stage stage(3);
  Verdict verdict;
  stage_a_snapshot(stage, verdict, 5);
  stage.install_elsewhere(1, 3);
  const SnapshotMeta meta = *stage.server(1).meta_at(stage.server(1).applied());
  stage.step(3, Received{stage.message(1, 3, stage.term(1),
                                       AppendEntries{meta.index, meta.term, meta.index, {}})});
  stage.settle({3});
  stage.submit(1);
  stage.settle({1, 2, 3});
  stage.tick(1);
  stage.settle({1, 2, 3});
  verdict.expect(stage.server(3).applied() == stage.server(1).applied(), "does not catch up");
  return verdict.of(stage);
}

}  // namespace

std::vector<Schedule> schedules_of_logs() {
  return {{"old-term-is-not-committed-by-counting", old_term_is_not_committed_by_counting},
          {"leader-cut-right-after-its-first-entry", leader_cut_right_after_its_first_entry},
          {"leader-serves-after-its-own-entry", leader_serves_after_its_own_entry},
          {"old-entries-after-a-snapshot", old_entries_after_a_snapshot},
          {"snapshot-acknowledged-when-it-is-durable", snapshot_acknowledged_when_it_is_durable},
          {"nothing-applied-while-installing", nothing_applied_while_installing}};
}

}  // namespace shoal::raft::sim
