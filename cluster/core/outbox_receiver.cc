#include "cluster/core/outbox_receiver.h"

namespace shoal {

void OutboxReceiver::on_parcel(NodeSlot from, OutboxParcel&& parcel) {
  ForwardBatchReader reader(*parcel.batch, context_.now.mono);
  ForwardRecord record;
  if (!reader.next(record)) return;
  Source& source =
      sources_.try_emplace(parcel.shard, static_cast<WorkerIndex>(parcel.shard)).first->second;
  if (parcel.term < source.term) return;
  source.term = parcel.term;
  std::erase_if(source.picked, [&parcel](const Key& key) { return key.first < parcel.least; });

  SharedPick pick;
  uint64_t workers = record.worker_mask;
  Key key{parcel.number, {}};
  SharedPicks picks = record.picks;
  if (parcel.part != 0 && picks.next(pick)) {
    key.second = std::string(pick.filter);
    workers = uint64_t{1} << pick.worker;
  }
  const auto open = source.open.find(key);
  if (open != source.open.end()) {
    open->second.answer_to = from;
    open->second.is_wanted = true;
    open->second.part = parcel.part;
    return;
  }
  const bool is_repeat =
      parcel.part == 0 ? parcel.number <= source.mark : !source.picked.insert(key).second;
  workers &= context_.all_workers();
  if (is_repeat || workers == 0) {
    return answered_(from, {parcel.shard, parcel.number, parcel.part, true});
  }
  if (parcel.part == 0) source.mark = parcel.number;
  give(parcel.shard, source, key, {from, true, parcel.part, workers, true}, record);
}

void OutboxReceiver::give(uint32_t shard, Source& source, const Key& key, Given given,
                          const ForwardRecord& record) {
  const uint64_t mask = key.second.empty() ? given.workers : 0;
  SharedPick pick;
  std::span<const SharedPick> picks;
  SharedPicks left = record.picks;
  if (!key.second.empty() && left.next(pick)) picks = {&pick, 1};
  const uint64_t number =
      record.large ? source.writer.append_large(record.large, mask, picks, context_.now.mono)
                   : source.writer.append(record.message, mask, picks, context_.now.mono);
  std::vector<ForwardBatchRef> batches;
  source.writer.finish(batches);
  const uint64_t workers = given.workers;
  source.open.emplace(key, given);
  for (ForwardBatchRef& batch : batches) {
    context_.mail(workers, ForwardIn{kShards, std::move(batch)});
  }
  if (number == 0) return answer(shard, source, key);  // at QoS 0 nobody answers
  source.sent.emplace(number, key);
}

void OutboxReceiver::on_accept(WorkerIndex worker, const AcceptOut& accept) {
  const auto found = sources_.find(accept.origin.worker);
  if (found == sources_.end()) return;
  Source& source = found->second;
  for (const AcceptedRange& range : accept.ranges) {
    for (auto it = source.sent.lower_bound(range.first);
         it != source.sent.end() && it->first <= range.last;) {
      Given& given = source.open.at(it->second);
      given.workers &= ~bit_of(worker);
      if (range.acceptance == Acceptance::kNotPlaced) given.placed = false;
      if (given.workers != 0) {
        ++it;
        continue;
      }
      answer(accept.origin.worker, source, it->second);
      it = source.sent.erase(it);
    }
  }
}

void OutboxReceiver::answer(uint32_t shard, Source& source, const Key& key) {
  const auto it = source.open.find(key);
  const Given given = it->second;
  if (!given.placed) source.picked.erase(key);
  const uint64_t number = key.first;
  source.open.erase(it);
  if (given.is_wanted) answered_(given.answer_to, {shard, number, given.part, given.placed});
}

void OutboxReceiver::on_node_gone(NodeSlot node) {
  for (auto& [shard, source] : sources_) {
    for (auto& [key, given] : source.open) {
      if (given.answer_to == node) given.is_wanted = false;
    }
  }
}

}  // namespace shoal
