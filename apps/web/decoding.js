// Readings of a network's frames, with the constants of model/recognition/ink_words.py and of
// decoding.py. A frame has the log-probabilities of all classes; the last class is CTC's blank.

const WIDTH = 6; // readings in the beam
const PRUNING = 12; // nats below a frame's likeliest class, from which a character is left out

const logAdd = (a, b) => {
  const most = Math.max(a, b);
  return most === -Infinity ? most : most + Math.log1p(Math.exp(Math.min(a, b) - most));
};

/** The classes of the most probable path: {label, probability, frames} of each character. */
export function greedy(frames) {
  const characters = [];
  let previous = null;
  for (const [number, frame] of frames.entries()) {
    const label = frame.indexOf(Math.max(...frame)), isBlank = label === frame.length - 1;
    if (!isBlank && label !== previous) characters.push({label, probability: 0, frames: []});
    if (!isBlank) {
      const last = characters.at(-1);
      last.probability = Math.max(last.probability, Math.exp(frame[label]));
      last.frames.push(number);
    }
    previous = label;
  }
  return characters;
}

/** Lists of classes that the frames may say, at most WIDTH, the likeliest first, by prefix beam
 * search (Hannun et al. 2014); see `ctc_beam`. */
export function beam(frames) {
  // A reading has a node of a tree: its last class, and the reading before. Beside it stand the
  // log-probabilities of its paths that end in a blank, and of those that end in its last class.
  let readings = [{node: {next: new Map()}, inBlank: 0, inLabel: -Infinity}];
  for (const frame of frames) {
    const blank = frame.length - 1, least = Math.max(...frame) - PRUNING;
    const likely = [...frame.keys()].filter((label) => label < blank && frame[label] >= least);
    const stayed = new Map(readings.map(({node, inBlank, inLabel}) =>
      [node, {node, inBlank: logAdd(inBlank, inLabel) + frame[blank],
        inLabel: inLabel + (frame[node.label] ?? 0)}]));
    const extended = readings.flatMap(({node, inBlank, inLabel}) => likely.flatMap((label) => {
      // Equal characters need a blank in between.
      const sum = (label === node.label ? inBlank : logAdd(inBlank, inLabel)) + frame[label];
      const same = stayed.get(node.next.get(label));
      if (same) same.inLabel = logAdd(same.inLabel, sum);
      return same ? [] : [{before: node, label, inBlank: -Infinity, inLabel: sum}];
    }));
    readings = [...stayed.values(), ...extended]
      .map((reading) => ({...reading, score: logAdd(reading.inBlank, reading.inLabel)}))
      .sort((a, b) => b.score - a.score).slice(0, WIDTH);
    for (const reading of readings.filter(({node}) => !node)) {
      const {before, label} = reading;
      if (!before.next.has(label)) before.next.set(label, {before, label, next: new Map()});
      reading.node = before.next.get(label);
    }
  }
  return readings.map(({node}) => {
    const labels = [];
    for (; node.before; node = node.before) labels.push(node.label);
    return labels.reverse();
  });
}
