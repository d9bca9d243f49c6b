// A reporter for run.mjs: one line of JSON for each test.
export default async function* counts(events) {
  for await (const { type, data } of events) {
    if ((type !== "test:pass" && type !== "test:fail") || data.nesting > 0 || data.details?.type === "suite") continue;
    const outcome = data.skip !== undefined ? "skipped" : type === "test:pass" ? "passed" : "failed";
    yield `${JSON.stringify({ outcome, why: data.skip })}\n`;
  }
}
