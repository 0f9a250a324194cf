// The two shapes of a lane's gRPC call. Each owns itself from its call's start to its OnDone, and
// keeps its link alive for that time.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "cluster/rpc/peer_link.h"
#include "proto/shoal/peer.grpc.pb.h"

namespace shoal {

// The metadata that makes three calls one link.
constexpr char kLinkKey[] = "shoal-link";
constexpr char kLaneKey[] = "shoal-lane";

// Starts a link's three calls; the link hears of everything else. The caller keeps the channels
// until the link is down: gRPC 1.51 joins its callback threads where the last channel goes, so that
// must not be one of these threads.
void dial_lanes(const std::shared_ptr<PeerLink>& link, const std::string& token,
                const std::shared_ptr<grpc::Channel>& channel,
                const std::shared_ptr<grpc::Channel>& bulk_channel);

// The reactor of an accepted call; null when the link refuses it.
grpc::ServerBidiReactor<rpc::Batch, rpc::Batch>* accept_lane(std::shared_ptr<PeerLink> link,
                                                             Lane lane,
                                                             grpc::CallbackServerContext& context);
// The reactor that ends a call at once.
grpc::ServerBidiReactor<rpc::Batch, rpc::Batch>* refuse_lane(const char* why);

}  // namespace shoal
