package deid

import (
	"regexp"
	"strings"
)

// vocabulary are the words that free text and codes may keep: anatomy, modality, contrast,
// sequence, projection, what coded terms of PS3.3 and PS3.16 are made of, and makers of
// equipment. No name of a person or a place belongs here.
var vocabulary = wordSet(anatomy, imaging, coded, colours, makers)

const anatomy = `
abdomen abdominal abdo acetabulum achilles adenoid adrenal airway ankle anterior antrum anus aorta aortic aneurysm apex apical
appendix arm artery arterial artefact articular atlas atrium axilla axillary axis back basal biliary bile bladder bone bones bowel brachial brain
breast bronchus bronchial buttock caecum calcaneus calf canal capillary cardiac carotid carotids carpal cartilage cavum cerebellum cerebral cerebrum
cervical cervico cervicothoracic chest cholangio circulation clavicle coccyx colon column cord coronary cortex cranial cranio cranium cruciate csp csf
deltoid dental diaphragm digit disc disk distal duct duodenum ear elbow embryo endocrine epicardial epigastric esophagus extremity eye
eyes face facial fallopian femoral femur fetal fetus fibula finger fingers flank foot feet foramen forearm fossa gallbladder
ganglia gastric genitalia gland gland globe groin hand hands head heart heel hepatic hilum hip hips humerus hypophysis ileum
iliac inguinal intestine intracardiac intracranial jaw jejunum joint joints jugular kidney kidneys kub knee knees larynx leg legs
lesion lesions ligament limb lip liver lobe lower lumbar lumbo lumbosacral lung lungs lymph malleolus mandible mastoid maxilla maxillofacial
mediastinum meniscus metacarpal metatarsal midline mouth muscle muscles musculoskeletal myocardial myocardium nasal nasopharynx navel neck nerve
nipple node nodes nodule nose obstetric obstetrical occipital optic oral orbit orbits organ oropharynx osseous ovary palate pancreas pancreatic panorex
paranasal parathyroid parietal parotid patella pediatric pelvic pelvis penis perineum peripheral peritoneum phalanx pharynx
pharyngeal pituitary placenta plantar pleura pleural popliteal portal prostate proximal pubis pulmonary pulm radius rectum renal retina retro
retroperitoneum rib ribs root sacral sacrum sacroiliac salivary scalp scaphoid scapula sciatic scrotum sella septum shin
shoulder shoulders sinus sinuses skeletal skeleton skin skull soft sole spinal spine spleen stomach stroke styloid sternum subclavian
talus tarsal tbone temporal tendon testes testicle testis thigh thoracic thoraco thoracolumbar thorax throat thumb thymus thyroid tibia
tibial tmj toe toes tongue tonsil tonsillar tooth teeth torso trachea trunk tumor tumour tympanic ulna umbilical ureter urethra urinary uterus
uterine vagina valve vascular vein veins vena venous ventricle ventricular vertebra vertebrae vertebral vessel vessels visceral wall whole wrist zygoma
tspine cspine lspine headneck breasts cad lad lcx rca tib fib uro gyn
canine feline equine bovine dog cat horse carpus hock stifle fetlock pastern hoof tarsus
cortical medullary nucleus tissue neoplasm fibroma edema dissection fracture
kopf schaedel schadel hals hals brust bauch becken wirbelsaule hws bws lws knie hufte schulter oberes unteres leber lunge herz gehirn
tete crane thorax rachis bassin genou hanche epaule foie poumon cerveau
cabeza craneo cuello torax columna pelvis rodilla cadera hombro higado pulmon cerebro mama
borst buik hoofd schedel hals bekken
`

const imaging = `
2d 3d 4d acq acquisition acquired adc additional adult afterload angio angiogram angiography ap pa apparent area arterial asc asl assessment
attenuation attn auto automatic average averaged avg ax axial background barium baseline bh biopsy blade black blood body bold bolus both
breath breathhold bright brightfield bw cad calcium calibration capture cc cect cemra ceus chemical child cine cisternography coeff coefficient collection
color colour comp comparison complete composite compressed compression cont contrast convolution cor coronal correction corrected cr craniocaudal
cranio-caudal ct cta ctp curved cw cystography cut cbv cbf delayed delay density derived dess detail detector dicom diastole diastolic diffusion dir direct
dixon dmso doppler dopler dose dr drr dsa dsi dti dual duplex dwi dx dxa dyn dynamic dce early ecg echo echocardiogram echocardiography effort eject elastography
emission end energy enhanced enhancement enteroclysis enterography entire ep epi epid equilibrium error exam examination exercise exhalation exp
expiration expiratory ext extended external fa fast fat fatsat fb fdg ffe fgre fiesta field film filter filtered fine fisp fl flair flash flex flexion flip
flow fluid fluoro fluoroscopy fmri fov fr frame frames free frequency frontal fs fse full functional fused fusion fusion gad gadolinium gadovist galactography gamma gated gating gd
gradient gre haste head hd helical hepatobiliary high hires hr hrct hsg hu hybrid hyper iac image images imaging in inflow infusion inhalation injection
insp inspiration inspiratory int intensity intermediate internal interp intra intraop intraoperative intravenous inv inversion iod iodine ir irm isotropic iv ivim ivp iohexol iomeprol iopamidol isovue omnipaque visipaque ultravist omniscan magnevist multihance dotarem primovist eovist
k keyhole kernel kv kvp la lao lao late lat lateral lateromedial left left-right level ll lm loc localiser localizer long longitudinal loss lossless lossy low lr lt lung
lut lv lve ma mag magn magnetic magnitude mammo mammogram mammography manual map mapping maps mass max maximum mean medial median mediolateral min minimum minip mip
mips ml mlo mm modality moco monitor motion mpr mprage mps mr mra mrangiography mrcp mre mri mrs mrt mrv mtc mtt multi multiframe multiphase multislice native navigator nbh
nc ncct nect negative neuro neutral nm no noise non noncontrast none nonselective normal nuclear oblique obl obli od open opposed oral os out overlay overview
pan parallel parametric pass pd perf perfusion pet petct phantom phase phases pilot plain planar plane planes planning plus portal portable position positive positron post postcontrast posterior postop postgad
pre precontrast preop presat presentation processed projection projected proj protocol proton ps psir pulse pw quantitative quiet ra radial radiograph radiography radiology rao rapid ratio raw real
recon reconstruct reconstructed reconstruction reformat reformatted region registration relative resampled rescaled resolution resonance resonanz respiratory rest resting reversed rf right rl roi rot rotation routine rt run rv
sag sagittal sat saturation sb sc scan scans scanogram scout screening se sec second secondary sector seg segment segmentation segmentations segmented selected semi sense sequence sequential serie series set shape shim
short shot sialography side single sinogram sirt siscom slab slice slices slide small source space spair spc spect spectroscopy spgr spin spiral spoiled spot sms split ss ssfp ssfse
stack standard standing standardised standardized static std ste stereo steady stimulated stir stitch stress structural study sub subtracted subtraction supine prone decubitus erect upright supplemental suppressed suppression sum surface surview suv suvbw swallow swi systole systolic
t t1 t1w t2 t2star t2w t1rho table target te test tee tfe tfl thallium thick thin time tir tirm tof tomo tomography tomosynthesis topo topogram towne trace tracking trans transabdominal transaxial transrectal transvaginal transverse
tra trigger triggered true trufi trufisp tse tt ttp turbo uncompressed ultra ultrasound unenhanced upper uptake ureterogram urography us usg uncorrected vcug velocity ven ventilation vertical vibe view views viewer volume volumes vr vrt w water
waters weight weighted weightbearing wide width window with without wo wb wk xa xr xray yrs y asymmetric bilateral unilateral bil ext dedicated follow followup up initial new old prior previous current repeat limited stat
and or of the for from to at by on per within a an as via w is not vs than into
1st 2nd 3rd axis bands b0 bmode mmode color3d vti sats obese thins thicks
x y z s m c h r l f p i e
oberbauch unterbauch nativ kontrast kontrastmittel km ohne mit seitlich rechts links beidseits quer schicht uebersicht
sans avec droit gauche profil coupe coupes contraste injecte
sin con derecho izquierdo derecha izquierda lateral frente perfil contraste simple
zonder met linker rechter beide
screening diagnostic diag interventional intervention catheter catheterization catheterisation angioplasty stent embolization embolisation puncture drainage ablation needle marker marked markers clip clips
survey skeletal age density densitometry barium swallow enema meal
`

const coded = `
1d abstract acquiring acceleration activity actual add additive after air algorithm align aligned all allergy alpha ann annotation annotations anode applied approved attributes atrial
balanced band bar base basic beam begin beige beta bidirectional binary bit blank blue bottom bounded box bql bqml bone_reduced bounding broad broadband build buffered burned canceled center centre centimeter
chamber channel child circle circular close closed cls cnts code coefficients cold coincidence coils col columns column combined complex computed concatenation concentration concept conclude condition conditioned cone const constant container contains content contents context
continuous conventional converted coord coordinate coordinates copper correct corrections count counts create created crosshair cube curvature curve cylinder cps d dark data date datetime db dt dead decay decy decayed decomposed deformation degree degrees
delivered delta depth derivation description detection detectors device di diameter diastasis difference digital dimension dimensions dir direction directional directed discontinued discrete display distance distribution divergent dl dlyd doc document done dosimetry dot double down drawn drop dtim dual_energy duration
effective electrode electron ellipse ellipsoid elliptical emitted emulsion ending ept equal equation equipment exact excited existing expose exposure factor fan feet_first feature fields fiducial filled first fixation fixed flat float focal focus foreground formalin formatted fractional fraction fractions full fundamental fixative
gantry general generated genital geometry geometric global good grams gram grating green grey gray grid group gross hardware has head_first hematoxylin hfs hfp hfdl hfdr ffs ffp ffdl ffdr height helix homogeneous horizontal hot hue identity ignored illumination implant inches included indexed inferred inferior infrared inner input instance instrument integer integral interactive
interface interlaced interleaved interpolated interval intervals inverse invert inverted inverting isocenter item items jpeg j2k label labelmap landscape large laser last lateral_decubitus lead leads leaf lead length lens library lin line linear lines linked list live local location log logarithm loop lookup lut
manu mask masked material matrix maximal measured measurement measurements measure mechanical medium member merged mesh metal method mg mid middle milliliter millimeter milliseconds minimal minus mixed mode modified modifier modulus molybdenum mono monochrome monochrome1 monochrome2 mosaic mother multiple mv
nat natural nearest nerves night nm_tomo nominal nonlinear norm normalized normality nrgy num number numeric nutate object objective obs observer observation odd off offset offsets opacity opaque optical option optimized order ordered organ organs orientation oriented original origin other outer output outside overlap overlays oxygen
packed padding pair palette paraffin paper parameter parent part partial partially particular parts path patient patients pattern pause peak pencil percent performed perform period permanent perspective phasing photo photon physical pixel pixels plate pname point points polar polygon polyline pool portrait precise precision predecessor preliminary preparation pressure presented primary printed printer prior procedure process processing product program progressive properties property prospective protons pseudo purpose
qa quad quality quantity quantities quarter ramp random range rate read reading realtime reason received rectangle rectangular rectilinear reduced reference referenced reflected regional regular rejected related released removed removal report reported required research resliced resampling residual respiration restored result results retired retake retrospective reverse reviewed rgb rhodium ring rigid robust role rotated row rows rr rwv
sample sampled sampling saved scalar scale scaled scaling scat scatter scheduled scheme scored scoord scoord3d scroll secondary_capture sectioned section seconds selection selector semiautomatic sensor separate separated separation series set_up sharp shell shift shutter signal significant significance silver simple simulated simulator simultaneous single_plane biplane size slope smooth software solid some sorting spatial specified specimen specific spectral spectrum sphere spectra spectrally sr stage staining stain start started started state stationary stat station status step steep stop stopped stored strength strip structure structures stored style submitted subsequent subset substance substitution success superior supported suppress surfaces surgical switched synchronized syn system
tag tags taken tangential task technical technique temperature temporal term text texture thickness three tile tiled tiles timing tin tissue title titanium tool top topographical total tracer tracked transducer transfer transform transformation transition transmission transmit transparent treatment tube tungsten two type typed typical uidref unapproved unary unaligned undefined unformatted uniform unit units unknown unnamed unset unsharp unspecified unsupported unverified update uri us_region used user using value values variable varying vector verified verify version vertex video virtual visual visible voi voxel voxels warning wave waveform wedge white window_level worklist workitem written yes yellow zero zoom
yes no y n m f o u ybr ict rct 422 420 partial_422 partial_420 iso ir gb18030 gbk isoir argb cmyk hsv cielab rle
const_potential scint pet_tomo recon_tomo recon_gated recon_gated_tomo gspect tomo_gated gated_tomo cslt propcps bqml grml mgml umolml mgminml mlming mlg 1cm bsa lbm lbmjames128 lbmjanma ibw stddev
decubitus recumbent semi recumbent_ head_ standing sitting ffs trendelenburg headfirst feetfirst supine
dcm srt sct ucum ln nm3 snm3 nci ncit umls fma radlex isotope radionuclide radiopharmaceutical fluorine fluorodeoxyglucose carbon nitrogen technetium rubidium gallium germanium galium cobalt
diagnosis diagnostic_ finding findings site impression history request recommendation conclusion
language english country evidence confidentiality profile application clean retain safe private longitudinal temporal information modified characteristics options options dates
mammographic cranio_caudal mlo cc ml lm lmo sio at cv xccl xccm fb rl rm sis
gantry_tilt waveform_ lossy_ ibe ms ps esp trig rg_ med sos dsb sfp fsp pfp pfl pff sp ss sk mp osp oth
sector_phased vector_phased linear_ curved_ annular mechanical_ sector 12-lead limb einthoven vasc v1 v2 v3 v4 v5 v6 avf avl avr ii iii qt qtc qrs pr pp rr onset heart beat beats minute microvolt millivolt
dx_ cr_ io ct mr nm pt us cr dx mg xa rf sc ot sr pr ko doc es gm sm op opt oct ecg hd px rg io ivus ivoct rtdose rtstruct rtplan rtimage rtrecord seg reg au ep bi ls smr stain xc len ker oam va srf
for_presentation for_processing process_ processing presentation
fetus_ multi_frame volumetric tissue_char grayscale monochromatic virtual_monoenergetic material_specific vmi effective_z electron_density iodine_map
anonymized removed default
csa csaparallel mpr mip norm dis2d dis3d mfsplit fm fil_ sub_ sh csa_report m_ffe m_se m_ir r_ffe i_ffe p_ffe phase_map t1_map t2_map adc_map tracew trace_w calc_bvalue mean_dwi isotropic epiphysis
localizer axial_ step_and_shoot stationary_ constant_angle constant_distance free_ cine_ 
planar emission transmission static_ gated_ wholebody whole_body dynamic_ tomo_ spect
unaltered altered resampled inferred identity_ reverse_linear rows_ fs fc ffe
start_ end_ sentinel frames_ quadrant upper_inner upper_outer lower_inner lower_outer axillary_tail
a b c d g k l q u v w x z ann_ pot_ mu beq high_dose
gauss butterworth hanning hann hamming ramp shepp logan sharp smooth standard soft bone lung detail edge edge_ chest body body_std brain idose asir veo mbir admire safire aidr fbp osem trueX tof psf 3dosem vpfx vpfxs recon scanner
`

const colours = `red green blue yellow orange purple pink brown black white grey gray hot_iron pet_ rainbow perfusion_`

const makers = `
siemens healthineers healthcare philips ge medical systems system ltd limited co corp corporation inc incorporated gmbh ag company llc kg bv toshiba canon hitachi fuji fujifilm
shimadzu samsung medison mindray esaote agfa gevaert carestream kodak hologic lorad konica minolta acuson aloka sonosite elscint picker marconi varian elekta bruker neusoft
united imaging uih planmed planmeca sirona sectra ziehm swissray imaging del oec terason biosound bk vidar trophy vatech carl zeiss heidelberg engineering topcon nidek optovue
olympus pentax karl storz leica aperio hamamatsu 3dhistech mevislab pixelmed nema offis dcmtk osirix horos slicer merge itk gdcm mitk
avanto aera skyra espree verio prisma trio triotim symphony sonata vida lumina sola altea magnetom somatom definition sensation emotion biograph mammomat inspiration artis zee axiom sequoia
achieva ingenia intera ambition elition gyroscan brilliance ingenuity iqon mx8000 gemini epiq affiniti cx50 ie33 allura azurion
signa hdxt hdx excite discovery optima revolution lightspeed brightspeed hispeed advantage logiq vivid voluson innova senographe millennium infinia definium
aquilion asteion vantage titan aplio infinix xario supria echelon airis eclipse oasis turbo plus ultra pro vct ct mr i elite prime one edge flash force drive
curbside phantom
`

func wordSet(lists ...string) map[string]bool {
	m := map[string]bool{}
	for _, l := range lists {
		for w := range strings.FieldsSeq(l) {
			for part := range strings.FieldsFuncSeq(w, func(r rune) bool { return r == '_' || r == '-' }) {
				m[strings.ToLower(part)] = true
			}
		}
	}
	return m
}

// measures are tokens that are no words and no names: vertebrae, sizes, times, doses.
var measures = regexp.MustCompile(`^(?:[ctls][0-9]{1,2}|b[0-9]{1,4}|t[12]w?i?|[0-9]{1,3}(?:\.[0-9]{1,2})?(?:mm|cm|ms|s|sec|min|kv|kvp|mas|t|ml|mg|hz|d|st|nd|rd|th|ch|w|x|kev)?|v[1-6])$`)

// word reports whether a token may stay by itself.
func word(s string) bool {
	s = strings.ToLower(s)
	return vocabulary[s] || measures.MatchString(s)
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == ""
}

// parts splits a text where words end, and keeps the separators apart.
func parts(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return separator(r) })
}

// separator: everything but letters, digits, and the point within a number. What is not ASCII
// belongs to a word, and a word with it is not known.
func separator(r rune) bool {
	switch {
	case r >= 0x80, r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '.':
		return false
	}
	return true
}

// cleanText keeps the known words of a text. A number stays after a known word only: a row of
// numbers may be somebody's. What was dropped is given too.
func cleanText(s string) (kept string, dropped []string) {
	var out []string
	after := false // a word was kept just before
	for _, p := range parts(s) {
		p = strings.Trim(p, ".")
		switch {
		case p == "":
			continue
		case digits(p) && (!after || !word(p)):
			dropped, after = append(dropped, p), false
		case word(p):
			out = append(out, p)
			after = !digits(p)
		default:
			dropped, after = append(dropped, p), false
		}
	}
	return strings.Join(out, " "), dropped
}

// codedText reports whether each part of a coded string (CS) is known.
func codedText(s string) bool {
	numbers := 0
	for _, p := range parts(s) {
		p = strings.Trim(p, ".")
		switch {
		case p == "":
		case digits(p):
			if numbers++; numbers > 1 || len(p) > 3 {
				return false
			}
		case !word(p):
			return false
		}
	}
	return true
}
