// What becomes of a picture once it is taken.

import sharp from 'sharp';

// A picture in a README is to be light: most of a dashboard is a few colours.
const limit = 300 * 1024;

// write returns a fault if the picture is too large.
export async function write(picture, file) {
  const { size } = await picture.png({ palette: true, colours: 96, effort: 10 }).toFile(file);
  return size > limit ? [`${file} has ${Math.round(size / 1024)} KiB, more than ${limit / 1024}`] : [];
}

// blanks are the panels of which the picture shows nothing.
export async function blanks(picture, panels) {
  const faults = [];
  for (const { title, left, top, width, height } of panels) {
    const part = await picture.clone().extract({ left, top, width, height }).toBuffer(); // statistics are of what sharp is given, not of what it makes of it
    const { channels } = await sharp(part).stats();
    if (Math.max(...channels.map(({ stdev }) => stdev)) < 1) faults.push(`panel "${title}": the picture shows nothing of it`);
  }
  return faults;
}
