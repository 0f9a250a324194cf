// MQTT.js: a subscriber and a publisher on two nodes, each QoS, a retained message, a will.
// node mqtt.js VERSION SUBSCRIBER_URL PUBLISHER_URL CA TOPIC; exits with 0 when all that was expected came.
'use strict';
const fs = require('fs');
const mqtt = require('mqtt');

const [version, subscriberUrl, publisherUrl, ca, topic] = process.argv.slice(2);
const VERSIONS = {'3.1': ['MQIsdp', 3], '3.1.1': ['MQTT', 4], '5.0': ['MQTT', 5]};
const TIMEOUT_MS = 30000;

function connect(url, will) {
  const [protocolId, protocolVersion] = VERSIONS[version];
  const client = mqtt.connect(url, {protocolId, protocolVersion, will, ca: ca && fs.readFileSync(ca), reconnectPeriod: 0});
  client.received = [];
  client.waiting = [];
  client.on('message', (from, payload, packet) => {
    const message = [from, payload.toString(), packet.qos, packet.retain];
    const next = client.waiting.shift();
    if (next) next(message); else client.received.push(message);
  });
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client));
    client.on('error', reject);
  });
}

function acknowledged(call) {
  return new Promise((resolve, reject) => call((error, result) => error ? reject(error) : resolve(result)));
}

async function subscribe(client, filter, qos) {
  const granted = await acknowledged(done => client.subscribe(filter, {qos}, done));
  if (granted.length !== 1 || granted[0].qos !== qos) throw new Error('granted ' + JSON.stringify(granted));
}

const publish = (client, to, payload, options) => acknowledged(done => client.publish(to, payload, options, done));

async function expect(client, ...wanted) {
  const message = client.received.shift() || await new Promise(resolve => client.waiting.push(resolve));
  if (JSON.stringify(message) !== JSON.stringify(wanted)) {
    throw new Error('expected ' + JSON.stringify(wanted) + ', got ' + JSON.stringify(message));
  }
}

async function main() {
  const subscriber = await connect(subscriberUrl);
  const publisher = await connect(publisherUrl, {topic: topic + '/will', payload: 'gone', qos: 1});
  await subscribe(subscriber, topic + '/will', 1);
  for (const qos of [0, 1, 2]) {
    await subscribe(subscriber, `${topic}/${qos}`, qos);
    for (let i = 0; i < 5; ++i) {
      await publish(publisher, `${topic}/${qos}`, `message ${i}`, {qos});
      await expect(subscriber, `${topic}/${qos}`, `message ${i}`, qos, false);
    }
  }
  await publish(publisher, topic + '/kept', 'kept', {qos: 1, retain: true});
  await subscribe(subscriber, topic + '/kept', 1);
  await expect(subscriber, topic + '/kept', 'kept', 1, true);
  await publish(publisher, topic + '/kept', '', {qos: 1, retain: true});
  await expect(subscriber, topic + '/kept', '', 1, false);
  publisher.stream.destroy();  // without a DISCONNECT
  await expect(subscriber, topic + '/will', 'gone', 1, false);
  subscriber.end();
}

setTimeout(() => { console.error('MQTT.js: not in time'); process.exit(1); }, TIMEOUT_MS).unref();
main().catch(error => { console.error('MQTT.js, MQTT ' + version + ': ' + error.message); process.exit(1); });
