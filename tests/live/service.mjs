// A service that starts root spans at a steady rate, with the JS SDK's Jaeger remote sampler and OTLP exporter.
//
//   node service.mjs SAMPLING_URL OTLP_URL SERVICE SPANS_PER_SECOND
//
// Prints one JSON line a second: how many spans were started and sampled, the probability the agent answered before and
// after that second, and the one the sampler held at its end. Ends when its standard input is closed, with the totals.
import { diag, DiagLogLevel, ROOT_CONTEXT } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import jaeger from '@opentelemetry/sampler-jaeger-remote';
import { AlwaysOnSampler, BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const [samplingUrl, otlpUrl, serviceName, perSecond] = process.argv.slice(2);
const WINDOW_MS = 1000;
const POLL_MS = 250;

diag.setLogger({ error: console.error, warn: console.error, info() {}, debug() {}, verbose() {} }, DiagLogLevel.WARN);

const sampler = new jaeger.JaegerRemoteSampler({
  endpoint: samplingUrl, serviceName, poolingInterval: POLL_MS, initialSampler: new AlwaysOnSampler(),
});

// The SDK hides failed exports in its log; the totals must not.
const exporter = new OTLPTraceExporter({ url: otlpUrl });
const totals = { exported: 0, failed: 0 };
const send = exporter.export.bind(exporter);
exporter.export = (spans, done) => send(spans, (result) => {
  if (result.code === 0) totals.exported += spans.length;
  else totals.failed += 1;
  done(result);
});

const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ 'service.name': serviceName }),
  sampler,
  spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: 100000, scheduledDelayMillis: 200 })],
});
const tracer = provider.getTracer('live');

const decided = async () => {
  const answer = await fetch(`${samplingUrl}/sampling?service=${serviceName}`);
  return (await answer.json()).probabilisticSampling.samplingRate;
};

// The sampler does not say its probability, but its description does: {0.15}.
const held = () => Number(/\{([0-9.e-]+)\}/.exec(sampler.toString())?.[1] ?? NaN);

let started = 0, sampled = 0, due = 0, last = performance.now();
const spans = setInterval(() => {
  const now = performance.now();
  due += (now - last) / 1000 * Number(perSecond);
  last = now;
  for (; due >= 1; due -= 1) {
    const span = tracer.startSpan('GET /', { kind: 1 }, ROOT_CONTEXT);
    started += 1;
    sampled += span.isRecording() ? 1 : 0;
    span.end();
  }
}, 5);

let before = await decided();
let from = { started, sampled, held: held() };
const windows = setInterval(async () => {
  const to = { started, sampled, held: held() };
  const after = await decided();
  // A window during which the sampler changed its mind says nothing: `held` is then no number and matches nothing.
  const steady = from.held === to.held ? to.held : null;
  console.log(JSON.stringify({ started: to.started - from.started, sampled: to.sampled - from.sampled, before, after, held: steady }));
  [before, from] = [after, to];
}, WINDOW_MS);

process.stdin.resume();
process.stdin.on('end', async () => {
  clearInterval(spans);
  clearInterval(windows);
  await provider.shutdown();
  console.log(JSON.stringify(totals));
  process.exit(0);
});
