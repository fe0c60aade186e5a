// Made by frontend/generate.py from the Python package; do not edit.
import angry from "./emoji/angry.svg";
import disgust from "./emoji/disgust.svg";
import fear from "./emoji/fear.svg";
import happy from "./emoji/happy.svg";
import sad from "./emoji/sad.svg";
import surprise from "./emoji/surprise.svg";
import neutral from "./emoji/neutral.svg";
import contempt from "./emoji/contempt.svg";

export const SCHEMA = "fervid/1";

/** FER2013's seven expressions, in its order. */
export const EMOTIONS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"] as const;
export type Emotion = (typeof EMOTIONS)[number];

/** The six of systems that fold disgust into anger. */
export const EMOTIONS_WITHOUT_DISGUST = ["angry", "fear", "happy", "sad", "surprise", "neutral"] as const;

/** The eight that a FER+ tagger can vote for. */
export const VOTE_LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt"] as const;
export type VoteLabel = (typeof VOTE_LABELS)[number];
export const CONTEMPT = "contempt";

/** The columns of every CSV. */
export const COLUMNS = ["source", "frame", "time_s", "face", "track", "x1", "y1", "x2", "y2", "score", "emotion", "confidence", "p_angry", "p_disgust", "p_fear", "p_happy", "p_sad", "p_surprise", "p_neutral", "model"] as const;

/** Bottom to top in stacked charts. */
export const STACKING: readonly Emotion[] = ["neutral", "sad", "fear", "disgust", "angry", "surprise", "happy"];

/** Fill of every expression, sRGB. */
export const COLOURS: Readonly<Record<VoteLabel, string>> = {"angry": "#ee5000", "disgust": "#009a65", "fear": "#b17fb9", "happy": "#ffde3a", "sad": "#3d699a", "surprise": "#09ceff", "neutral": "#b1b1b1", "contempt": "#f5a022"};

/** Ink or paper, whichever reads better on the colour. */
export const TEXT_COLOURS: Readonly<Record<VoteLabel, string>> = {"angry": "#16181d", "disgust": "#16181d", "fear": "#16181d", "happy": "#16181d", "sad": "#ffffff", "surprise": "#16181d", "neutral": "#16181d", "contempt": "#16181d"};

export const INK = "#16181d";
export const PAPER = "#ffffff";
export const UNCERTAIN_COLOUR = "#ffffff";

/** Ends of the evidence's scale. */
export const SPEAKS_FOR = "#ff5400";
export const SPEAKS_AGAINST = "#006eff";

/** Addresses of the product's own drawings, as SVG. */
export const EMOJI: Readonly<Record<VoteLabel, string>> = { angry, disgust, fear, happy, sad, surprise, neutral, contempt };
