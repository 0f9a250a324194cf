/* libraft's step interface in plain types: what raft.h says, without raft.h, which no C++ compiler
 * takes. engine.c translates and owns memory; it holds no rule. The rules are in raft_group.cc.
 *
 * Entries cross without their payload: libraft looks into none but changes of configuration. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct raft_engine;

/* The roles and kinds are libraft's numbers; engine.c checks that they agree. */
enum engine_role { ENGINE_STANDBY = 0, ENGINE_VOTER = 1, ENGINE_SPARE = 2 };
enum engine_entry_kind { ENGINE_COMMAND = 1, ENGINE_BARRIER = 2, ENGINE_CHANGE = 3 };
enum engine_state { ENGINE_FOLLOWER = 1, ENGINE_CANDIDATE = 2, ENGINE_LEADER = 3 };
enum engine_message_type {
  ENGINE_APPEND_ENTRIES = 1,
  ENGINE_APPEND_RESULT,
  ENGINE_REQUEST_VOTE,
  ENGINE_VOTE_RESULT,
  ENGINE_INSTALL_SNAPSHOT,
  ENGINE_TIMEOUT_NOW
};

struct engine_server {
  uint64_t id;
  int role;
};

struct engine_configuration {
  const struct engine_server* servers;
  size_t count;
};

struct engine_snapshot {
  uint64_t index;
  uint64_t term;
  uint64_t configuration_index;
  struct engine_configuration configuration;
};

struct engine_entry {
  uint64_t term;
  int kind;
  struct engine_configuration change; /* of an ENGINE_CHANGE */
};

/* Which fields count depends on the type, as in the struct of that name in raft.h. */
struct engine_message {
  int type;
  uint64_t peer; /* that sent it, or is to get it */
  uint64_t term;
  uint64_t last_index; /* the sender's log, the snapshot's last entry, what a result acknowledges */
  uint64_t last_term;
  uint64_t prev_index;
  uint64_t prev_term;
  uint64_t commit;
  uint64_t rejected;
  const struct engine_entry* entries; /* received; of one to send only the count */
  size_t entry_count;
  struct engine_snapshot snapshot; /* received */
  bool granted;
  bool pre_vote;
  bool disrupt_leader;
  bool asks_non_voter; /* a request for a vote, to be answered although this server is no voter */
};

/* What a step changed. Valid until the next step of the same engine. */
struct engine_update {
  bool term_or_vote;
  bool entries;          /* the log is to hold, from entries_first on, entries_count entries: */
  bool entries_are_ours; /* a barrier that the engine made, not the last ones of those given */
  uint64_t entries_first;
  size_t entries_count;
  bool snapshot; /* the snapshot of the message received is to be installed */
  size_t message_count;
};

struct engine_options {
  uint64_t id;
  unsigned seed;
  unsigned election_timeout_ms;
  unsigned heartbeat_ms;
  unsigned install_timeout_ms;
  unsigned catch_up_round_ms;
  unsigned inflight_entries_max;
};

struct raft_engine* engine_new(const struct engine_options* options);
void engine_free(struct raft_engine* engine);

/* Each gives libraft's status; 0 is success. `now` is in ms and never goes back. */
int engine_start(struct raft_engine* engine, uint64_t now, uint64_t term, uint64_t vote,
                 const struct engine_snapshot* snapshot, uint64_t first,
                 const struct engine_entry* entries, size_t count, struct engine_update* update);
int engine_timeout(struct raft_engine* engine, uint64_t now, struct engine_update* update);
int engine_receive(struct raft_engine* engine, uint64_t now, const struct engine_message* message,
                   struct engine_update* update);
int engine_persisted_entries(struct raft_engine* engine, uint64_t now, uint64_t index,
                             struct engine_update* update);
int engine_persisted_snapshot(struct raft_engine* engine, uint64_t now,
                              const struct engine_snapshot* snapshot, struct engine_update* update);
int engine_configuration_committed(struct raft_engine* engine, uint64_t now, uint64_t index,
                                   const struct engine_configuration* configuration,
                                   struct engine_update* update);
int engine_snapshot_taken(struct raft_engine* engine, uint64_t now,
                          const struct engine_snapshot* snapshot, unsigned trailing,
                          struct engine_update* update);
int engine_submit(struct raft_engine* engine, uint64_t now, const struct engine_entry* entries,
                  size_t count, struct engine_update* update);
int engine_catch_up(struct raft_engine* engine, uint64_t now, uint64_t id,
                    struct engine_update* update);
int engine_transfer(struct raft_engine* engine, uint64_t now, uint64_t id,
                    struct engine_update* update);

/* The message `at` of the last step; its peer's address is the number that was given. */
void engine_message_at(const struct raft_engine* engine, size_t at, struct engine_message* message);

enum engine_state engine_state_of(const struct raft_engine* engine);
uint64_t engine_term(const struct raft_engine* engine);
uint64_t engine_vote(const struct raft_engine* engine);
uint64_t engine_leader(const struct raft_engine* engine); /* 0: none known */
uint64_t engine_commit(const struct raft_engine* engine);
uint64_t engine_last(const struct raft_engine* engine);
uint64_t engine_last_stored(const struct raft_engine* engine);
uint64_t engine_deadline(const struct raft_engine* engine); /* ms */
/* What follows is known to leaders, and 0 or false elsewhere. */
uint64_t engine_match(const struct raft_engine* engine, uint64_t id);
uint64_t engine_transferee(const struct raft_engine* engine);
uint64_t engine_promotee(const struct raft_engine* engine);
bool engine_caught_up(const struct raft_engine* engine, uint64_t id);
bool engine_change_pending(const struct raft_engine* engine);

#ifdef __cplusplus
}
#endif
