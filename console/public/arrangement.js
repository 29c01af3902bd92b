/* Which metrics share a plot, and in which group and order plots stand. */
/* SPDX-License-Identifier: Apache-2.0 */

/* The agent's own metrics. What stands in no row gets a plot of its own, in a group named by what stands before its
 * first ".". `lines`: [metric, name in the plot]. */
const KNOWN = [
  { group: "Processor", title: "Load", lines: [["cpu.load", "busy"]] },
  { group: "Processor", title: "Load average", lines: [["cpu.load1", "1 min"]] },
  { group: "Processor", title: "Temperature", lines: [["temperature", "temperature"]] },
  { group: "Memory and disk", title: "Memory", lines: [["memory.used", "used"], ["memory.total", "total"]] },
  { group: "Memory and disk", title: "Disk", lines: [["disk.used", "used"], ["disk.total", "total"]] },
  { group: "Memory and disk", title: "Agent memory", lines: [["agent.memory", "resident"]] },
  { group: "Network and clock", title: "Network", lines: [["net.rx", "in"], ["net.tx", "out"]] },
  { group: "Network and clock", title: "Waiting to be sent", lines: [["agent.spooled", "records"]] },
  { group: "Network and clock", title: "Clock offset", lines: [["clock.offset", "offset"]] },
];

/* Better read as figures (they are in the table of values) than as lines. */
const FIGURES = new Set(["uptime", "memory.share", "disk.share"]);

const groupOf = (metric) => (metric.includes(".") ? metric.slice(0, metric.indexOf(".")) : "Other");

/* [{group, plots: [{title, lines}]}] for these numeric metrics. */
export function arranged(metrics) {
  const left = new Set(metrics.filter((metric) => !FIGURES.has(metric)));
  const groups = new Map();
  const place = (group, plot) => groups.set(group, [...(groups.get(group) ?? []), plot]);
  for (const { group, title, lines } of KNOWN) {
    const present = lines.filter(([metric]) => left.delete(metric));
    if (present.length) place(group, { title, lines: present });
  }
  for (const metric of [...left].sort()) place(groupOf(metric), { title: metric, lines: [[metric, metric]] });
  return [...groups].map(([group, plots]) => ({ group, plots }));
}
