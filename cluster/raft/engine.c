#include "cluster/raft/engine.h"

#include <assert.h>
#include <raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert((int)ENGINE_STANDBY == RAFT_STANDBY && (int)ENGINE_VOTER == RAFT_VOTER &&
                  (int)ENGINE_SPARE == RAFT_SPARE,
              "roles");
static_assert((int)ENGINE_COMMAND == RAFT_COMMAND && (int)ENGINE_BARRIER == RAFT_BARRIER &&
                  (int)ENGINE_CHANGE == RAFT_CHANGE,
              "kinds of entries");
static_assert((int)ENGINE_FOLLOWER == RAFT_FOLLOWER && (int)ENGINE_CANDIDATE == RAFT_CANDIDATE &&
                  (int)ENGINE_LEADER == RAFT_LEADER,
              "states");
static_assert((int)ENGINE_APPEND_ENTRIES == RAFT_APPEND_ENTRIES &&
                  (int)ENGINE_APPEND_RESULT == RAFT_APPEND_ENTRIES_RESULT &&
                  (int)ENGINE_REQUEST_VOTE == RAFT_REQUEST_VOTE &&
                  (int)ENGINE_VOTE_RESULT == RAFT_REQUEST_VOTE_RESULT &&
                  (int)ENGINE_INSTALL_SNAPSHOT == RAFT_INSTALL_SNAPSHOT &&
                  (int)ENGINE_TIMEOUT_NOW == RAFT_TIMEOUT_NOW,
              "types of messages");

/* The version of the messages that libraft 0.22.1 sends; a node speaks to the same one. */
enum { kMessageVersion = 2 };

/* libraft names servers by text as well; ours is the number. */
enum { kAddressSize = 24 };

struct raft_engine {
  struct raft raft;
  struct raft_update update;
};

static void check(bool condition) {
  if (!condition) abort();
}

static void* allocate(size_t size) {
  void* memory = raft_malloc(size == 0 ? 1 : size);
  check(memory != NULL);
  return memory;
}

static void address_of(uint64_t id, char* out) {
  snprintf(out, kAddressSize, "%llx", (unsigned long long)id);
}

static void configuration_of(const struct engine_configuration* from,
                             struct raft_configuration* to) {
  raft_configuration_init(to);
  for (size_t i = 0; i < from->count; ++i) {
    char address[kAddressSize];
    address_of(from->servers[i].id, address);
    check(raft_configuration_add(to, from->servers[i].id, address, from->servers[i].role) == 0);
  }
}

static struct raft_snapshot_metadata metadata_of(const struct engine_snapshot* from) {
  struct raft_snapshot_metadata to;
  memset(&to, 0, sizeof to);
  to.index = from->index;
  to.term = from->term;
  to.configuration_index = from->configuration_index;
  configuration_of(&from->configuration, &to.configuration);
  return to;
}

/* Entries as libraft wants them: one block of memory (`batch`) holds the changes, and is the one
 * that libraft frees when it is done with the entries at once. */
struct entries {
  struct raft_entry* list;
  void* batch;
};

static struct entries entries_of(const struct engine_entry* from, size_t count) {
  struct entries to = {NULL, NULL};
  if (count == 0) return to;
  to.list = allocate(count * sizeof *to.list);
  struct raft_buffer* changes = allocate(count * sizeof *changes);
  size_t size = 1;
  for (size_t i = 0; i < count; ++i) {
    changes[i] = (struct raft_buffer){NULL, 0};
    if (from[i].kind != ENGINE_CHANGE) continue;
    struct raft_configuration change;
    configuration_of(&from[i].change, &change);
    check(raft_configuration_encode(&change, &changes[i]) == 0);
    raft_configuration_close(&change);
    size += changes[i].len;
  }
  uint8_t* at = to.batch = allocate(size);
  for (size_t i = 0; i < count; ++i) {
    to.list[i].term = from[i].term;
    to.list[i].type = (enum raft_entry_type)from[i].kind;
    to.list[i].buf = (struct raft_buffer){at, changes[i].len};
    to.list[i].batch = to.batch;
    if (changes[i].len == 0) continue;
    memcpy(at, changes[i].base, changes[i].len);
    at += changes[i].len;
    raft_free(changes[i].base);
  }
  raft_free(changes);
  return to;
}

/* Of libraft's update what a caller sees. A batch of entries that are to be persisted is ours to
 * free: libraft looks at them no more. */
static void report(struct raft_engine* engine, const struct raft_entry* given,
                   struct engine_update* out) {
  const struct raft_update* update = &engine->update;
  const unsigned flags = update->flags;
  memset(out, 0, sizeof *out);
  out->term_or_vote = (flags & (RAFT_UPDATE_CURRENT_TERM | RAFT_UPDATE_VOTED_FOR)) != 0;
  if (flags & (RAFT_UPDATE_ENTRIES)) {
    out->entries = true;
    out->entries_first = update->entries.index;
    out->entries_count = update->entries.n;
    out->entries_are_ours = update->entries.batch == &engine->raft.barrier;
    check(out->entries_are_ours || given != NULL);
    raft_free(update->entries.batch[0].batch);
  }
  if (flags & (RAFT_UPDATE_MESSAGES)) out->message_count = update->messages.n;
}

static int step(struct raft_engine* engine, uint64_t now, struct raft_event* event,
                const struct raft_entry* given, struct engine_update* out) {
  event->time = now;
  memset(&engine->update, 0, sizeof engine->update);
  const int status = raft_step(&engine->raft, event, &engine->update);
  if (status != 0) {
    memset(out, 0, sizeof *out);
    return status;
  }
  report(engine, given, out);
  return 0;
}

static struct raft_event event_of(enum raft_event_type type) {
  struct raft_event event;
  memset(&event, 0, sizeof event);
  event.type = type;
  return event;
}

struct raft_engine* engine_new(const struct engine_options* options) {
  struct raft_engine* engine = calloc(1, sizeof *engine);
  check(engine != NULL);
  char address[kAddressSize];
  address_of(options->id, address);
  struct raft* raft = &engine->raft;
  check(raft_init(raft, NULL, NULL, options->id, address) == 0);
  raft->tracer = NULL; /* the default one formats a line for each step, wanted or not */
  raft_seed(raft, options->seed);
  raft_set_election_timeout(raft, options->election_timeout_ms);
  raft_set_heartbeat_timeout(raft, options->heartbeat_ms);
  raft_set_pre_vote(raft, true);
  raft_set_max_inflight_entries(raft, options->inflight_entries_max);
  raft_set_install_snapshot_timeout(raft, options->install_timeout_ms);
  raft_set_max_catch_up_round_duration(raft, options->catch_up_round_ms);
  return engine;
}

void engine_free(struct raft_engine* engine) {
  raft_close(&engine->raft, NULL);
  free(engine);
}

int engine_start(struct raft_engine* engine, uint64_t now, uint64_t term, uint64_t vote,
                 const struct engine_snapshot* snapshot, uint64_t first,
                 const struct engine_entry* entries, size_t count, struct engine_update* update) {
  struct raft_event event = event_of(RAFT_START);
  struct raft_snapshot_metadata metadata;
  struct entries log = entries_of(entries, count);
  event.start.term = term;
  event.start.voted_for = vote;
  if (snapshot != NULL) {
    metadata = metadata_of(snapshot);
    event.start.metadata = &metadata;
  }
  event.start.start_index = first;
  event.start.entries = log.list;
  event.start.n_entries = (unsigned)count;
  const int status = step(engine, now, &event, NULL, update);
  raft_free(log.list);
  raft_free(log.batch);
  return status;
}

int engine_timeout(struct raft_engine* engine, uint64_t now, struct engine_update* update) {
  struct raft_event event = event_of(RAFT_TIMEOUT);
  return step(engine, now, &event, NULL, update);
}

static void append_entries_of(const struct engine_message* from, struct entries list,
                              struct raft_append_entries* to) {
  to->version = kMessageVersion;
  to->term = from->term;
  to->prev_log_index = from->prev_index;
  to->prev_log_term = from->prev_term;
  to->leader_commit = from->commit;
  to->entries = list.list;
  to->n_entries = (unsigned)from->entry_count;
}

static void append_result_of(const struct engine_message* from,
                             struct raft_append_entries_result* to) {
  to->version = kMessageVersion;
  to->term = from->term;
  to->rejected = from->rejected;
  to->last_log_index = from->last_index;
}

static void request_vote_of(const struct engine_message* from, struct raft_request_vote* to) {
  to->version = kMessageVersion;
  to->term = from->term;
  to->candidate_id = from->peer;
  to->last_log_index = from->last_index;
  to->last_log_term = from->last_term;
  to->disrupt_leader = from->disrupt_leader;
  to->pre_vote = from->pre_vote;
}

static void vote_result_of(const struct engine_message* from, struct raft_request_vote_result* to) {
  to->version = kMessageVersion;
  to->term = from->term;
  to->vote_granted = from->granted;
  to->pre_vote = from->pre_vote;
}

static void install_snapshot_of(const struct engine_message* from,
                                struct raft_install_snapshot* to) {
  to->version = kMessageVersion;
  to->term = from->term;
  to->last_index = from->snapshot.index;
  to->last_term = from->snapshot.term;
  to->conf_index = from->snapshot.configuration_index;
  configuration_of(&from->snapshot.configuration, &to->conf);
  to->data = (struct raft_buffer){allocate(1), 1}; /* the data itself does not pass through here */
}

static void timeout_now_of(const struct engine_message* from, struct raft_timeout_now* to) {
  to->version = kMessageVersion;
  to->term = from->term;
  to->last_log_index = from->last_index;
  to->last_log_term = from->last_term;
}

static void body_of(const struct engine_message* from, struct entries list,
                    struct raft_message* to) {
  switch (from->type) {
    case ENGINE_APPEND_ENTRIES: append_entries_of(from, list, &to->append_entries); break;
    case ENGINE_APPEND_RESULT: append_result_of(from, &to->append_entries_result); break;
    case ENGINE_REQUEST_VOTE: request_vote_of(from, &to->request_vote); break;
    case ENGINE_VOTE_RESULT: vote_result_of(from, &to->request_vote_result); break;
    case ENGINE_INSTALL_SNAPSHOT: install_snapshot_of(from, &to->install_snapshot); break;
    case ENGINE_TIMEOUT_NOW: timeout_now_of(from, &to->timeout_now); break;
    default: abort();
  }
}

/* The server itself in its configuration, NULL if it is not there. */
static struct raft_server* own_entry(struct raft* raft) {
  for (unsigned i = 0; i < raft->configuration.n; ++i) {
    if (raft->configuration.servers[i].id == raft->id) return &raft->configuration.servers[i];
  }
  return NULL;
}

/* libraft asks its own configuration whether it may vote, and of a leader that it once heard it does
 * not ask how long ago. A request for a vote leaves the configuration as it is. */
static int step_as_voter(struct raft_engine* engine, uint64_t now, struct raft_event* event,
                         struct engine_update* update) {
  struct raft_server* self = own_entry(&engine->raft);
  if (self == NULL || engine->raft.state != RAFT_FOLLOWER) {
    return step(engine, now, event, NULL, update);
  }
  const int role = self->role;
  self->role = RAFT_VOTER;
  engine->raft.follower_state.current_leader.id = 0;
  const int status = step(engine, now, event, NULL, update);
  self->role = role;
  return status;
}

int engine_receive(struct raft_engine* engine, uint64_t now, const struct engine_message* message,
                   struct engine_update* update) {
  struct entries list = entries_of(message->entries, message->entry_count);
  char address[kAddressSize];
  address_of(message->peer, address);
  struct raft_message received;
  memset(&received, 0, sizeof received);
  received.type = (enum raft_message_type)message->type;
  received.server_id = message->peer;
  received.server_address = address;
  body_of(message, list, &received);
  struct raft_event event = event_of(RAFT_RECEIVE);
  event.receive.message = &received;
  const int status = message->asks_non_voter ? step_as_voter(engine, now, &event, update)
                                             : step(engine, now, &event, list.list, update);
  /* libraft freed list.batch, or report() did. */
  raft_free(list.list);
  if (status == 0 && (engine->update.flags & (RAFT_UPDATE_SNAPSHOT))) {
    update->snapshot = true;
    raft_configuration_close(&engine->update.snapshot.metadata.configuration);
    raft_free(engine->update.snapshot.chunk.base);
  }
  return status;
}

int engine_persisted_entries(struct raft_engine* engine, uint64_t now, uint64_t index,
                             struct engine_update* update) {
  struct raft_event event = event_of(RAFT_PERSISTED_ENTRIES);
  event.persisted_entries.index = index;
  return step(engine, now, &event, NULL, update);
}

/* Here and in the next two libraft takes the configuration over. */
int engine_persisted_snapshot(struct raft_engine* engine, uint64_t now,
                              const struct engine_snapshot* snapshot,
                              struct engine_update* update) {
  struct raft_event event = event_of(RAFT_PERSISTED_SNAPSHOT);
  event.persisted_snapshot.metadata = metadata_of(snapshot);
  event.persisted_snapshot.last = true;
  return step(engine, now, &event, NULL, update);
}

int engine_configuration_committed(struct raft_engine* engine, uint64_t now, uint64_t index,
                                   const struct engine_configuration* configuration,
                                   struct engine_update* update) {
  struct raft_event event = event_of(RAFT_CONFIGURATION);
  event.configuration.index = index;
  configuration_of(configuration, &event.configuration.conf);
  return step(engine, now, &event, NULL, update);
}

int engine_snapshot_taken(struct raft_engine* engine, uint64_t now,
                          const struct engine_snapshot* snapshot, unsigned trailing,
                          struct engine_update* update) {
  struct raft_event event = event_of(RAFT_SNAPSHOT);
  event.snapshot.metadata = metadata_of(snapshot);
  event.snapshot.trailing = trailing;
  return step(engine, now, &event, NULL, update);
}

int engine_submit(struct raft_engine* engine, uint64_t now, const struct engine_entry* entries,
                  size_t count, struct engine_update* update) {
  struct entries list = entries_of(entries, count);
  struct raft_event event = event_of(RAFT_SUBMIT);
  event.submit.entries = list.list;
  event.submit.n = (unsigned)count;
  const int status = step(engine, now, &event, list.list, update);
  if (status != 0) raft_free(list.batch);
  raft_free(list.list);
  return status;
}

int engine_catch_up(struct raft_engine* engine, uint64_t now, uint64_t id,
                    struct engine_update* update) {
  struct raft_event event = event_of(RAFT_CATCH_UP);
  event.catch_up.server_id = id;
  return step(engine, now, &event, NULL, update);
}

int engine_transfer(struct raft_engine* engine, uint64_t now, uint64_t id,
                    struct engine_update* update) {
  struct raft_event event = event_of(RAFT_TRANSFER);
  event.transfer.server_id = id;
  return step(engine, now, &event, NULL, update);
}

void engine_message_at(const struct raft_engine* engine, size_t at, struct engine_message* out) {
  const struct raft_message* from = &engine->update.messages.batch[at];
  memset(out, 0, sizeof *out);
  out->type = (int)from->type;
  out->peer = from->server_id;
  switch (from->type) {
    case RAFT_APPEND_ENTRIES:
      out->term = from->append_entries.term;
      out->prev_index = from->append_entries.prev_log_index;
      out->prev_term = from->append_entries.prev_log_term;
      out->commit = from->append_entries.leader_commit;
      out->entry_count = from->append_entries.n_entries;
      break;
    case RAFT_APPEND_ENTRIES_RESULT:
      out->term = from->append_entries_result.term;
      out->rejected = from->append_entries_result.rejected;
      out->last_index = from->append_entries_result.last_log_index;
      break;
    case RAFT_REQUEST_VOTE:
      out->term = from->request_vote.term;
      out->last_index = from->request_vote.last_log_index;
      out->last_term = from->request_vote.last_log_term;
      out->disrupt_leader = from->request_vote.disrupt_leader;
      out->pre_vote = from->request_vote.pre_vote;
      break;
    case RAFT_REQUEST_VOTE_RESULT:
      out->term = from->request_vote_result.term;
      out->granted = from->request_vote_result.vote_granted;
      out->pre_vote = from->request_vote_result.pre_vote;
      break;
    case RAFT_INSTALL_SNAPSHOT:
      out->term = from->install_snapshot.term;
      out->last_index = from->install_snapshot.last_index;
      out->last_term = from->install_snapshot.last_term;
      break;
    case RAFT_TIMEOUT_NOW:
      out->term = from->timeout_now.term;
      out->last_index = from->timeout_now.last_log_index;
      out->last_term = from->timeout_now.last_log_term;
      break;
  }
}

/* libraft's questions take a raft that is not const, and change nothing. */
static struct raft* asked(const struct raft_engine* engine) { return (struct raft*)&engine->raft; }

enum engine_state engine_state_of(const struct raft_engine* engine) {
  return (enum engine_state)raft_state(asked(engine));
}
uint64_t engine_term(const struct raft_engine* engine) { return engine->raft.current_term; }
uint64_t engine_vote(const struct raft_engine* engine) { return engine->raft.voted_for; }
uint64_t engine_leader(const struct raft_engine* engine) {
  raft_id id = 0;
  const char* address = NULL;
  raft_leader(asked(engine), &id, &address);
  return id;
}
uint64_t engine_commit(const struct raft_engine* engine) { return engine->raft.commit_index; }
uint64_t engine_last(const struct raft_engine* engine) { return raft_last_index(asked(engine)); }
uint64_t engine_last_stored(const struct raft_engine* engine) { return engine->raft.last_stored; }
uint64_t engine_deadline(const struct raft_engine* engine) { return raft_timeout(&engine->raft); }

uint64_t engine_match(const struct raft_engine* engine, uint64_t id) {
  raft_index match = 0;
  return raft_match_index(&engine->raft, id, &match) == 0 ? match : 0;
}
uint64_t engine_transferee(const struct raft_engine* engine) {
  return raft_transferee(&engine->raft);
}
uint64_t engine_promotee(const struct raft_engine* engine) {
  return engine->raft.state == RAFT_LEADER ? engine->raft.leader_state.promotee_id : 0;
}
bool engine_caught_up(const struct raft_engine* engine, uint64_t id) {
  int status = RAFT_CATCH_UP_NONE;
  return raft_catch_up(&engine->raft, id, &status) == 0 && status == RAFT_CATCH_UP_FINISHED;
}
bool engine_change_pending(const struct raft_engine* engine) {
  return engine->raft.configuration_uncommitted_index != 0;
}
