// What a good model would answer: an object of the shape that the prompt shows,
// which is the JSON on its last line.

function fill(shape, place) {
  if (Array.isArray(shape)) return [fill(shape[0], `${place} 1`), fill(shape[0], `${place} 2`)];
  if (typeof shape === 'object') {
    return Object.fromEntries(Object.entries(shape).map(([key, member]) => [key.replace(/\?$/, ''), fill(member, key.replace(/\?$/, ''))]));
  }
  if (shape.startsWith('integer')) return 7;
  if (shape.startsWith('text ')) return `A ${place} by the model`;
  return shape.split(' | ')[0];
}

export function shapeIn(prompt) {
  for (const line of prompt.split('\n').reverse()) {
    try {
      const shape = JSON.parse(line);
      if (shape && typeof shape === 'object') return shape;
    } catch { /* the next line */ }
  }
  return null;
}

export const compose = (prompt) => {
  const shape = shapeIn(prompt);
  return shape ? JSON.stringify(fill(shape, 'text')) : 'Nothing to say.';
};
