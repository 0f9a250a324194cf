#include "node/rules/match.h"

#include <cstdlib>
#include <new>

namespace shoal {

static_assert(sizeof(LocalTarget) == 16);
static_assert(sizeof(Match) % alignof(RemoteTarget) == 0);

void MatchDeleter::operator()(Match* match) const {
  match->~Match();
  std::free(match);
}

size_t Match::bytes_of(const Sizes& sizes) {
  return sizeof(Match) + sizes.groups * sizeof(SharedGroup*) +
         sizes.remotes * sizeof(RemoteTarget) +
         (size_t{sizes.targets} + sizes.own_targets) * sizeof(LocalTarget) +
         sizes.identifiers * sizeof(uint32_t) + sizes.topic;
}

MatchPtr Match::create(const Sizes& sizes) {
  void* const memory = std::malloc(bytes_of(sizes));
  if (memory == nullptr) throw std::bad_alloc();
  return MatchPtr(new (memory) Match(sizes));
}

template <class Element>
Element* Match::list_at(const void* begin) {
  return static_cast<Element*>(const_cast<void*>(begin));
}

// Each list begins where the one before it ends; the alignments only get smaller.
SharedGroup** Match::group_list() const { return list_at<SharedGroup*>(this + 1); }
RemoteTarget* Match::remote_list() const {
  return list_at<RemoteTarget>(group_list() + sizes_.groups);
}
LocalTarget* Match::target_list() const {
  return list_at<LocalTarget>(remote_list() + sizes_.remotes);
}
LocalTarget* Match::own_target_list() const { return target_list() + sizes_.targets; }
uint32_t* Match::identifier_list() const {
  return list_at<uint32_t>(own_target_list() + sizes_.own_targets);
}
char* Match::topic_text() const { return list_at<char>(identifier_list() + sizes_.identifiers); }

std::string_view Match::topic() const { return {topic_text(), sizes_.topic}; }

std::span<SharedGroup* const> Match::groups() const { return {group_list(), sizes_.groups}; }

std::span<const RemoteTarget> Match::remotes() const { return {remote_list(), sizes_.remotes}; }

std::span<const LocalTarget> Match::targets() const { return {target_list(), sizes_.targets}; }

std::span<const uint32_t> Match::identifiers(const LocalTarget& target) const {
  return {identifier_list() + target.identifiers_begin, target.identifiers_count};
}

const LocalTarget* Match::own_target(SessionIndex session) const {
  for (const LocalTarget& own : std::span(own_target_list(), sizes_.own_targets)) {
    if (own.session == session) return &own;
  }
  return nullptr;
}

}  // namespace shoal
